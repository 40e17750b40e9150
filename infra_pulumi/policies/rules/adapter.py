"""Between analyzer and rules: a resource of the engine becomes a `ResourceView`, a sentence of a rule a violation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi_policy
from pulumi_policy.proxy import UnknownValueError

from .resource_view import UNKNOWN, ResourceView, Rule


def policy(rule: Rule) -> pulumi_policy.Policy:
    """A rule as the engine takes it."""
    if rule.of_stack is not None:
        of_stack = rule.of_stack

        def validate_stack(
            args: pulumi_policy.StackValidationArgs, report_violation: pulumi_policy.ReportViolation
        ) -> None:
            for urn, sentence in of_stack([_resource_view(resource) for resource in args.resources]):
                report_violation(sentence, urn)

        return pulumi_policy.StackValidationPolicy(rule.name, rule.why, validate_stack)
    of_resource = rule.of_resource
    if of_resource is None:
        raise TypeError(f"expected rule {rule.name} to look at a resource or at the stack, it does neither")

    def validate(args: pulumi_policy.ResourceValidationArgs, report_violation: pulumi_policy.ReportViolation) -> None:
        for sentence in of_resource(_resource_view(args)):
            report_violation(sentence, None)

    return pulumi_policy.ResourceValidationPolicy(rule.name, rule.why, validate)


def _resource_view(shown: pulumi_policy.ResourceValidationArgs | pulumi_policy.PolicyResource) -> ResourceView:
    return ResourceView(
        kind=shown.resource_type,
        name=shown.name,
        props=plain(shown.props),
        urn=shown.urn,
        is_protected=bool(shown.opts.protect),
        provider=None if shown.provider is None else plain(shown.provider.props),
        uses={
            key: tuple(resource.urn for resource in used)
            for key, used in (getattr(shown, "property_dependencies", None) or {}).items()
        },
    )


def plain(value: Any) -> Any:
    """Values as plain data, with UNKNOWN for what the analyzer's own wrapper would raise an error about.

    Left to itself that error ends the rule, and a rule that ended is a remark, not a refusal: one unknown ARN in a
    preview would switch off all that the rule has to say about the resource.
    """
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_item(value, index) for index in range(len(value))]
    return value


def _item(holder: Any, key: Any) -> Any:
    try:
        return plain(holder[key])
    except UnknownValueError:
        return UNKNOWN
