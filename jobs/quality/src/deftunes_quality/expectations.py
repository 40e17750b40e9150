"""Great Expectations' own expectations, counting what is unexpected without fetching it.

All counts of a suite travel in one Spark query per dependency level, but the values would cost a query per
expectation, also where there is nothing unexpected: 0.4 s for a clean month of sessions. So a first run counts, and
only what failed is asked again for examples (`partial_unexpected_count` above 0).
"""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe
from great_expectations.core.metric_function_types import SummarizationMetricNameSuffixes as Suffix


class _Counted:
    """Mixed in before a map expectation: no unexpected values are asked for while none are to be shown."""

    map_metric: Any

    def get_validation_dependencies(
        self, execution_engine: Any = None, runtime_configuration: Any = None, **kwargs: Any
    ) -> Any:
        needed = super().get_validation_dependencies(  # type: ignore[misc]  # the expectation that comes next
            execution_engine=execution_engine, runtime_configuration=runtime_configuration, **kwargs
        )
        if needed.result_format["partial_unexpected_count"] == 0:
            needed.metric_configurations.pop(f"{self.map_metric}.{Suffix.UNEXPECTED_VALUES.value}", None)
        return needed


class ExpectColumnValuesToNotBeNullCounted(_Counted, gxe.ExpectColumnValuesToNotBeNull):
    """No nulls."""


class ExpectColumnValueLengthsToEqualCounted(_Counted, gxe.ExpectColumnValueLengthsToEqual):
    """Texts of one length."""


class ExpectColumnValuesToMatchRegexCounted(_Counted, gxe.ExpectColumnValuesToMatchRegex):
    """Texts of one form."""


class ExpectColumnValuesToBeInSetCounted(_Counted, gxe.ExpectColumnValuesToBeInSet):
    """Known values."""


class ExpectColumnValuesToBeBetweenCounted(_Counted, gxe.ExpectColumnValuesToBeBetween):
    """Values within bounds."""


class ExpectColumnValuesToBeUniqueCounted(_Counted, gxe.ExpectColumnValuesToBeUnique):
    """No value twice."""


class ExpectCompoundColumnsToBeUniqueCounted(_Counted, gxe.ExpectCompoundColumnsToBeUnique):
    """No combination twice."""
