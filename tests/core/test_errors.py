from __future__ import annotations

import pickle

import pytest

from discern.errors import (
    DiscernError,
    EngineUnreachable,
    Overloaded,
    TooLarge,
    error_from_dict,
    errors_by_code,
)


def test_every_error_of_the_family_has_a_code_of_its_own() -> None:
    def classes(root: type[DiscernError]) -> list[type[DiscernError]]:
        children = [c for c in root.__subclasses__() if c.__module__ == DiscernError.__module__]
        return [root, *(cls for child in children for cls in classes(child))]

    family = classes(DiscernError)
    assert len({cls.code for cls in family}) == len(family) == len(errors_by_code())


def test_the_drawing_at_the_top_names_every_error_and_code() -> None:
    import discern.errors

    drawing = discern.errors.__doc__ or ""
    for code, cls in errors_by_code().items():
        assert f"{cls.__name__} " in drawing
        assert code in drawing


@pytest.mark.parametrize("cls", errors_by_code().values(), ids=lambda cls: cls.code)
def test_an_error_survives_the_wire_with_class_field_limit_and_retry(
    cls: type[DiscernError],
) -> None:
    error = cls("what is wrong", field="texts[2]", limit=7, retry_after_s=1.5)
    again = error_from_dict(error.to_dict())
    assert type(again) is cls
    assert again.to_dict() == error.to_dict()


def test_an_error_survives_pickling_between_processes() -> None:
    again = pickle.loads(pickle.dumps(TooLarge("too long", field="text", limit=5)))
    assert type(again) is TooLarge
    assert (again.message, again.field, again.limit) == ("too long", "text", 5)


def test_how_a_model_server_was_lost_survives_pickling() -> None:
    for error in (EngineUnreachable("refused"), EngineUnreachable.while_asked("reset")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.cut_off) == (EngineUnreachable, error.cut_off)


def test_an_unknown_code_from_a_newer_server_is_still_an_error_of_the_family() -> None:
    error = error_from_dict({"code": "from_the_future", "message": "hm"})
    assert type(error) is DiscernError
    assert error.message == "hm"


def test_absent_parts_are_left_out_of_the_wire_form() -> None:
    assert Overloaded("busy").to_dict() == {"code": "overloaded", "message": "busy"}
