"""The printed URL opens the same database as the given one, so that it can be copied into psql."""

from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eduguard.postgres import Database

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
HOSTS = st.sampled_from(["::1", "a,b", "@abstract", "/a b/s", "fe80::1%eth0", "db.example.org"])
PARAMETERS = st.fixed_dictionaries(
    {"dbname": TEXT.filter(bool)},
    optional={
        "user": TEXT,
        "host": TEXT | HOSTS,
        "port": st.lists(st.integers(1, 65535).map(str) | st.just(""), min_size=1, max_size=3).map(",".join),
        "hostaddr": TEXT,
        "options": TEXT,
        "sslmode": st.sampled_from(["disable", "prefer"]),
    },
)


@given(PARAMETERS)
@example({"dbname": "school", "host": "/home/a b/.eduguard/s", "port": "5432"})
@example({"dbname": "a/b?c", "user": "me@example.org", "host": "a,b", "port": "1,2"})
def test_a_shown_url_says_the_same_save_the_password(parameters: dict[str, str]) -> None:
    shown = Database.from_url(make_conninfo(**parameters, password="secret")).shown_url
    told = {key: value for key, value in conninfo_to_dict(shown).items() if value}
    assert told == {key: value for key, value in parameters.items() if value}
