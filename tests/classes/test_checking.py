from tests.classes.states import matrix, state_of

from kiridashi.classes.checking import check

STATE = state_of({"nut": ([[1, 0, 0]], []), "bolt": ([[0, 0, 1]], []), "pin": ([[0, 1, 0]], [])})


def test_recall_precision_and_confusions() -> None:
    labels = ["nut", "NUT", "nut", "bolt", "coin", "coin"]
    rows = matrix([[1, 0.1, 0], [1, 0, 0.1], [0, 0.1, 1], [0, 0, 1], [1, 0.1, 0.1], [-1, -1, -1]])
    found = check(STATE, labels, rows)
    nut, bolt, pin = found.classes
    assert (nut.objects, nut.right, nut.unknown, nut.taken, nut.mixed) == (3, 2, 0, 3, (("bolt", 1),))
    assert (nut.recall, nut.precision) == (2 / 3, 2 / 3)
    assert (bolt.recall, bolt.precision) == (1.0, 0.5)
    assert (pin.objects, pin.recall, pin.precision) == (0, None, None)
    assert (found.objects, found.others, found.refused, found.other_names) == (4, 2, 1, ("coin",))
    assert found.accuracy == (2 / 3 + 1) / 2


def test_what_no_class_takes_is_unknown_and_no_confusion() -> None:
    (nut, *_) = check(STATE, ["nut"], matrix([[-1, 0, 0]])).classes
    assert (nut.right, nut.unknown, nut.mixed) == (0, 1, ())


def test_data_without_known_classes_has_no_accuracy() -> None:
    found = check(STATE, ["coin"], matrix([[1, 0, 0]]))
    assert (found.accuracy, found.others, found.refused) == (None, 1, 0)
