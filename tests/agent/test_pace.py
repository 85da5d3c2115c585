import pytest

from agent.main import main


@pytest.mark.parametrize("name", ["--keep", "--look"])
@pytest.mark.parametrize("value", ["9.9", "86401", "-1", "nan", "soon"])
def test_a_pace_that_no_host_can_keep_is_refused_before_anything_starts(name, value, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--state", str(tmp_path / "state"), "run", "--listen", "127.0.0.1", f"{name}={value}"])

    assert ended.value.code == 2
    assert f"argument {name}: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
