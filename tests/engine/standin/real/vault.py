"""Keys and secrets."""

from __future__ import annotations

from typing import Any

from ..values import Properties
from .maker import Maker, given, tag_list


class Key(Maker):
    """A KMS key; deleting it means waiting."""

    service = "kms"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        made = aws.create_key(
            Tags=[{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tag_list(wanted)],
            **given(
                Description=wanted.get("description"),
                KeyUsage=wanted.get("keyUsage"),
                KeySpec=wanted.get("customerMasterKeySpec"),
                Policy=wanted.get("policy"),
                MultiRegion=wanted.get("multiRegion"),
            ),
        )["KeyMetadata"]
        if wanted.get("enableKeyRotation"):
            aws.enable_key_rotation(KeyId=made["KeyId"])
        return made["KeyId"], {"arn": made["Arn"], "keyId": made["KeyId"]}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        aws.update_key_description(KeyId=identifier, Description=new.get("description") or "")
        if new.get("policy"):
            aws.put_key_policy(KeyId=identifier, PolicyName="default", Policy=new["policy"])
        turn = aws.enable_key_rotation if new.get("enableKeyRotation") else aws.disable_key_rotation
        turn(KeyId=identifier)

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.schedule_key_deletion(KeyId=identifier, PendingWindowInDays=known.get("deletionWindowInDays") or 30)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.describe_key(KeyId=identifier)["KeyMetadata"]["KeyState"] != "PendingDeletion"


class Alias(Maker):
    """A key's name."""

    service = "kms"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        key = aws.describe_key(KeyId=wanted["targetKeyId"])["KeyMetadata"]
        aws.create_alias(AliasName=wanted["name"], TargetKeyId=key["KeyId"])
        return wanted["name"], {"targetKeyArn": key["Arn"]}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        aws.update_alias(AliasName=identifier, TargetKeyId=new["targetKeyId"])

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_alias(AliasName=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return any(alias["AliasName"] == identifier for alias in aws.list_aliases()["Aliases"])


class Secret(Maker):
    """A secret's envelope; what is in it is a version."""

    service = "secretsmanager"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        arn = aws.create_secret(
            Name=wanted["name"],
            Tags=tag_list(wanted),
            **given(Description=wanted.get("description"), KmsKeyId=wanted.get("kmsKeyId")),
        )["ARN"]
        return arn, {"arn": arn}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        aws.update_secret(
            SecretId=identifier,
            **given(Description=new.get("description") or "", KmsKeyId=new.get("kmsKeyId")),
        )
        aws.tag_resource(SecretId=identifier, Tags=tag_list(new))

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        days = known.get("recoveryWindowInDays")
        # 0 means at once; without a word AWS keeps it for thirty days, and its name with it
        window: Properties = {"ForceDeleteWithoutRecovery": True} if days == 0 else {"RecoveryWindowInDays": days or 30}
        aws.delete_secret(SecretId=identifier, **window)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return "DeletedDate" not in aws.describe_secret(SecretId=identifier)


class SecretVersion(Maker):
    """A secret's content; its id is secret and version."""

    service = "secretsmanager"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        made = aws.put_secret_value(
            SecretId=wanted["secretId"], SecretString=wanted.get("secretString") or wanted.get("secretStringWo") or ""
        )
        return f"{made['ARN']}|{made['VersionId']}", {"arn": made["ARN"], "versionId": made["VersionId"]}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        """Only stages can change, and nobody sets them."""

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        """Nothing, as in the provider: a version goes when its secret does, or when newer ones have pushed it out."""

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        secret, _, version = identifier.partition("|")
        return aws.get_secret_value(SecretId=secret, VersionId=version)


MAKERS: dict[str, Maker] = {
    "aws:kms/key:Key": Key(),
    "aws:kms/alias:Alias": Alias(),
    "aws:secretsmanager/secret:Secret": Secret(),
    "aws:secretsmanager/secretVersion:SecretVersion": SecretVersion(),
}
