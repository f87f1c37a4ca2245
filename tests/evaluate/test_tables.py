from kiridashi.evaluate.tables import markdown


def test_narrow_columns_still_have_a_rule() -> None:
    assert markdown(("a", "n"), [("x", "1")]) == "| a  |  n |\n| -- | -: |\n| x  |  1 |"
