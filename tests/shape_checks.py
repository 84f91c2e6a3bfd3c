"""The type checker that the tests run the project under (see conftest.py)."""

from beartype import BeartypeConf, beartype

# An int is good enough for a float, as PEP 484 says.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
