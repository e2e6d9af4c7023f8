"""Fixtures of the end-to-end tests.

platform       one for all tests of a worker that leave it as they found it
ns             a namespace of the test's own on it, deleted afterwards
own_platform   one of the test's own: for tests that kill, stop or fill it
make_platform  a function that starts one with other arguments
"""
import contextlib
import itertools

import pytest

import harness

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def platform():
    with harness.Platform() as p:
        yield p


@pytest.fixture
def own_platform():
    with harness.Platform() as p:
        yield p


@pytest.fixture
def make_platform():
    with contextlib.ExitStack() as all:
        yield lambda *args, **kw: all.enter_context(harness.Platform(*args, **kw))


@pytest.fixture
def ns(platform):
    name = f"team-{next(numbers)}"
    platform.apply(harness.namespace(name))
    yield name
    platform.kubectl("delete", "namespace", name, timeout=90)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the logs of the platforms that the test used."""
    report = (yield).get_result()
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, harness.Platform):
                report.sections.append(("platform", value.story()))
