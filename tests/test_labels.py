import pytest

from poseprep.errors import InputError
from poseprep.labels import Label, find_clip_labels, find_labels, read_labels
from poseprep.segment import Segment


def read(path):
    return {key: row.label for key, row in read_labels(path).items()}


KEYS = ["a/x.mp4", "b/c/y.mp4", "z.mp4"]


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_without_a_table_the_sign_is_the_immediate_parent_folder():
    labels = find_labels(KEYS)
    assert [labels.of[key].sign for key in KEYS] == ["a", "c", ""]


def test_with_a_table_folder_names_are_not_read(table):
    labels = find_labels(KEYS, table("clip,sign,signer,split\na/x.mp4,HELLO,anna,test\n"))
    assert labels.of["a/x.mp4"] == Label("HELLO", "anna", "test")
    assert labels.of["b/c/y.mp4"] == Label()


def test_rows_and_videos_that_do_not_meet_are_told(table):
    labels = find_labels(KEYS, table("key,sign\na/x.mp4,A\ngone.mp4,B\n"))
    assert labels.rows_without_video == ["gone.mp4"]
    assert labels.videos_without_row == ["b/c/y.mp4", "z.mp4"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("key;sign\nz.mp4;grün\n", "utf-8"),
        ("key\tsign\r\nz.mp4\tgrün\r\n", "utf-8-sig"),
        ('Sign , Clip,note\ngrün,./z.mp4,"a, b"\n', "utf-8"),
    ],
)
def test_separators_byte_order_marks_and_column_order_do_not_matter(table, text, encoding):
    assert read(table(text, encoding)) == {"z.mp4": Label("grün")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,sign\nz.mp4,A\n", "expected a column `key`"),
        ("", "expected a column `key`"),
        ("key,sign\nz.mp4,A\nz.mp4,B\n", "line 3: 'z.mp4' stands twice"),
        ("key,split\nz.mp4,holdout\n", "line 2: split 'holdout'"),
        ("key,start,end\nz.mp4,0.5,0.5\n", "line 2: the segment ends at 0.5 s, but starts at 0.5"),
        ("key,start,end\nz.mp4,-1,0.5\n", "line 2: start '-1'; expected seconds"),
        ("key,start,end\nz.mp4,0,nan\n", "line 2: end 'nan'; expected seconds"),
        ("key,start,end\nz.mp4,0,1:20\n", "line 2: end '1:20'; expected seconds"),
        ("key,start,end\nz.mp4,1,2\nz.mp4,1.0,2.0001\n", "line 3: .*1.000-2.000' stands twice"),
        ("key,sign\n,A\n", "line 2: the key is empty"),
        ("key,sign\nz.mp4,a\0b\n", "line 2: holds a NUL"),
        ("key,sign\nz.mp4,A,B\n", "line 2: 3 cells, but 2 columns"),
        ("key,sign,Sign\nz.mp4,A,B\n", "column 'sign' stands twice"),
        ('key,sign\nz.mp4,"A\n', "line 2: no table.*unexpected end"),
        ('key,sign\nz.mp4,"A"B\n', "line 2: no table"),
        (f"key,sign\nz.mp4,{'A' * 200_000}\n", "line 2: no table.*field larger"),
        ("key,sign\nz,A\n", "none of its 1 rows names a video.*'a/x.mp4'.*'z'"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(table, text, message):
    with pytest.raises(InputError, match=message):
        find_labels(KEYS, table(text))


@pytest.mark.parametrize("header", ["key,,sign", ",key,sign"])
def test_a_column_without_a_name_is_not_read(table, header):
    """Such as the index that pandas writes."""
    values = {"key": "z.mp4", "sign": "A", "": "7"}
    row = ",".join(values[name] for name in header.split(","))
    assert read(table(f"{header}\n{row}\n")) == {"z.mp4": Label("A")}


def test_cells_left_out_at_the_end_and_empty_lines_are_no_mistake(table):
    text = "key,sign,signer\nz.mp4,A\n\na/x.mp4\n"
    assert read(table(text)) == {"z.mp4": Label("A"), "a/x.mp4": Label()}


def test_only_line_ends_end_a_row(table):
    assert read(table("key,sign\nz.mp4,a\u2028b\x0bc\n")) == {"z.mp4": Label("a\u2028b\x0bc")}


def test_a_table_in_another_encoding_is_told(table):
    with pytest.raises(InputError, match="UTF-8"):
        read_labels(table("key,sign\nz.mp4,grün\n", "latin-1"))


def test_a_video_is_cut_into_the_segments_of_its_rows(table):
    text = "key,sign,start,end\nz.mp4,B,12.5,14\nz.mp4,A,1.2,2.84\nz.mp4,C,10,\na/x.mp4,D,,\n"
    labels = find_labels(KEYS, table(text))
    assert labels.clips["z.mp4"] == (
        Segment("z.mp4#1.200-2.840", 1.2, 2.84),
        Segment("z.mp4#10.000-end", 10.0),
        Segment("z.mp4#12.500-14.000", 12.5, 14.0),
    )
    assert labels.of["z.mp4#1.200-2.840"].sign == "A"
    assert labels.clips["a/x.mp4"] == (Segment("a/x.mp4"),)
    assert labels.clips["b/c/y.mp4"] == (Segment("b/c/y.mp4"),)
    assert labels.videos_without_row == ["b/c/y.mp4"]
    assert "z.mp4" not in labels.of


def test_times_may_be_written_with_a_decimal_comma(table):
    labels = find_labels(KEYS, table("key;start;end\nz.mp4;1,2;2,84\n"))
    assert labels.clips["z.mp4"] == (Segment("z.mp4#1.200-2.840", 1.2, 2.84),)


def test_clips_that_are_cut_already_get_labels_by_their_own_keys(table):
    keys = ["z.mp4#1.200-2.840", "z.mp4#3.000-4.000"]
    labels = find_clip_labels(keys, table("key,sign,start,end\nz.mp4,A,1.2,2.84\nz.mp4,B,7,8\n"))
    assert [labels.of[key].sign for key in keys] == ["A", ""]
    assert labels.rows_without_video == ["z.mp4#7.000-8.000"]
