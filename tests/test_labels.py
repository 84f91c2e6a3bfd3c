import pytest

from poseprep.errors import InputError
from poseprep.labels import Label, find_labels, read_labels

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
    assert read_labels(table(text, encoding)) == {"z.mp4": Label("grün")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,sign\nz.mp4,A\n", "expected a column `key`"),
        ("", "expected a column `key`"),
        ("key,sign\nz.mp4,A\nz.mp4,B\n", "line 3: 'z.mp4' stands twice"),
        ("key,split\nz.mp4,holdout\n", "line 2: split 'holdout'"),
        ("key,start,end\nz.mp4,0.1,0.5\n", "segments"),
        ("key,sign\n,A\n", "line 2: the key is empty"),
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
    assert read_labels(table(f"{header}\n{row}\n")) == {"z.mp4": Label("A")}


def test_cells_left_out_at_the_end_and_empty_lines_are_no_mistake(table):
    text = "key,sign,signer\nz.mp4,A\n\na/x.mp4\n"
    assert read_labels(table(text)) == {"z.mp4": Label("A"), "a/x.mp4": Label()}


def test_only_line_ends_end_a_row(table):
    assert read_labels(table("key,sign\nz.mp4,a\u2028b\x0bc\n")) == {
        "z.mp4": Label("a\u2028b\x0bc")
    }


def test_a_table_in_another_encoding_is_told(table):
    with pytest.raises(InputError, match="UTF-8"):
        read_labels(table("key,sign\nz.mp4,grün\n", "latin-1"))
