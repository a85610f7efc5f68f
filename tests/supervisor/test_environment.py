"""Nothing secret leaves the environment."""

import pytest

from runyard.supervisor.environment import MASK, mask, packages


@pytest.mark.parametrize(
    "name",
    [
        "API_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "db_passwd", "PGPASSFILE_PASS", "SENTRY_DSN", "COOKIE_JAR",
        "GOOGLE_APPLICATION_CREDENTIALS", "OAUTH", "MYSQL_PWD", "openai_api_key", "SLACK_WEBHOOK", "AZURE_SAS",
    ],
)  # fmt: skip
def test_values_are_masked_where_the_name_looks_secret(name: str) -> None:
    assert mask({name: "hunter2"}) == {name: MASK}


@pytest.mark.parametrize("name", ["PATH", "PWD", "OLDPWD", "LANG", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HOME"])
def test_harmless_variables_are_kept(name: str) -> None:
    assert mask({name: "value"}) == {name: "value"}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("postgres://ada:hunter2@db/runs", f"postgres://{MASK}@db/runs"),
        ("a https://t0ken@host/x b", f"a https://{MASK}@host/x b"),
        ("https://host/path?a=b", "https://host/path?a=b"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", MASK),
        ("AKIAIOSFODNN7EXAMPLE", MASK),
        ("bad \udcff byte", "bad ? byte"),
        ("", ""),
    ],
)
def test_values_that_look_secret_are_masked_under_any_name(value: str, kept: str) -> None:
    assert mask({"SETTING": value}) == {"SETTING": kept}


def test_packages_are_listed_with_their_versions() -> None:
    found = packages()

    assert found["pytest"].count(".") >= 1
    assert list(found) == sorted(found, key=str.lower)
