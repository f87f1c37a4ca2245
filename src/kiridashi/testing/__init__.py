"""The contract suite that every method passes, ours and a user's own.

    from kiridashi.testing import check_method

    check_method(lambda: MyMethod(threshold=0.5))

With pytest, one test a check:

    @pytest.mark.parametrize("check", method_checks(), ids=lambda check: check.__name__)
    def test_contract(check):
        check(lambda: MyMethod(threshold=0.5))
"""

from kiridashi.testing.contract import check_method, method_checks

__all__ = ["check_method", "method_checks"]
