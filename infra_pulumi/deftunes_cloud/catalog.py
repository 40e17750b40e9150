"""The Glue database of the Iceberg tables. The tables themselves are the lake job's: it makes and changes them."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from deftunes_cloud.base import StackContext


class Catalog(pulumi.ComponentResource):
    """One database a stack, named after it, so that two stacks may share an account.

    Outputs: `database` (its name), `arns` (catalog, database, every table: what a grant on Glue must name).
    """

    def __init__(
        self,
        name: str,
        context: StackContext,
        *,
        lake_url: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("deftunes:cloud:Catalog", name, {}, opts)
        wanted = f"{context.name}_transform".replace("-", "_")
        database = aws.glue.CatalogDatabase(
            "transform",
            name=wanted,
            description="Iceberg tables of the DeFtunes data platform, made by deftunes-lake",
            location_uri=pulumi.Output.concat(lake_url, "/transform_zone"),
            opts=pulumi.ResourceOptions(parent=self, protect=context.is_protected),
        )
        self.database = database.name
        self.arns = database.name.apply(
            lambda found: [
                context.arn("glue", "catalog"),
                context.arn("glue", f"database/{found}"),
                context.arn("glue", f"table/{found}/*"),
            ]
        )
        self.register_outputs({"database": self.database})
