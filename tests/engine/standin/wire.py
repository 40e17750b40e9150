"""The provider's side of the engine's protocol: one gRPC service on loopback, that the engine attaches to by port.

    with StandIn() as standin:
        PULUMI_DEBUG_PROVIDERS=aws:<standin.port> pulumi up

Every instance of the provider that a program makes is this one: a request does not say on whose behalf it is made.
"""

from __future__ import annotations

import json
from concurrent import futures
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from .lookups import UnknownFunction, answer
from .memory import Memory, Refused
from .replacement import Difference, difference
from .values import bare, from_struct, to_struct

VERSION = "7.51.1"
"""Of pulumi-aws; the engine writes it into the state."""
_KINDS = provider_pb2.PropertyDiff.Kind
_DIFF = provider_pb2.DiffResponse
# as the engine's own channels: states of whole clouds travel in one message
_OPTIONS = [("grpc.max_receive_message_length", 400 * 1024 * 1024), ("grpc.so_reuseport", 0)]


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """The service and its memory, listening as long as the context lasts.

    endpoint: moto's URL when resources are to be real there, where standin.real can make them.
    region: until the program configures another. calls, unknown_types, unknown_functions, resources: see Memory.
    """

    def __init__(self, endpoint: str | None = None, region: str = "eu-west-1") -> None:
        self.memory = Memory(endpoint, region)
        self.port = 0
        self._server: grpc.Server | None = None

    def __enter__(self) -> StandIn:
        # ten at once: the engine asks as many as it has resources
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=10), options=_OPTIONS)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._server is not None:
            self._server.stop(grace=None).wait()
            self._server = None

    # --- becoming acquainted

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True,
            accept_resources=False,
            accept_outputs=False,
            supports_autonaming_configuration=True,
        )

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Empty:
        return Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        # none of it: whoever reads a schema generates code, and does not do that here
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": VERSION}))

    def GetMapping(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetMappingResponse()

    def GetMappings(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetMappingsResponse()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Empty:
        return Empty()

    # --- the provider's own configuration

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        olds = from_struct(request.old_inputs if request.HasField("old_inputs") else request.olds)
        return _diff_response(difference("pulumi:providers:aws", olds, from_struct(request.news)))

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.memory.configure(bare(from_struct(request.args)))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            acceptResources=False,
            acceptOutputs=False,
            supports_autonaming_configuration=True,
        )

    # --- resources

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs = self.memory.check(_kind(request), request, from_struct(request.olds), from_struct(request.news))
        return provider_pb2.CheckResponse(inputs=to_struct(inputs))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        outputs, new = from_struct(request.olds), from_struct(request.news)
        old = from_struct(request.old_inputs) if request.HasField("old_inputs") else outputs
        found = self.memory.diff(_kind(request), old, outputs, new, list(request.ignoreChanges))
        return _diff_response(found)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        inputs = from_struct(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(self.memory.preview(_kind(request), inputs)))
        try:
            outputs = self.memory.create(_kind(request), request.urn, inputs)
        except Refused as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return provider_pb2.CreateResponse(id=str(outputs["id"]), properties=to_struct(outputs))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = from_struct(request.olds), from_struct(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(
                properties=to_struct(self.memory.preview_update(_kind(request), old, new))
            )
        try:
            outputs = self.memory.update(_kind(request), request.urn, request.id, old, new)
        except Refused as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Empty:
        try:
            self.memory.delete(_kind(request), request.urn, request.id, from_struct(request.properties))
        except Refused as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return Empty()

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        known = self.memory.read(_kind(request), request.urn, request.id, from_struct(request.properties))
        if known is None:
            # the protocol's word for "there is no such thing"
            return provider_pb2.ReadResponse()
        inputs = request.inputs if request.inputs.fields else to_struct(known.inputs)
        return provider_pb2.ReadResponse(id=request.id, properties=to_struct(known.outputs), inputs=inputs)

    # --- functions

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        arguments = bare(from_struct(request.args))
        try:
            result = answer(request.tok, arguments, self.memory.place)
        except UnknownFunction as error:
            self.memory.unknown_functions.add(request.tok)
            context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        # `return` is a word of Python's
        return provider_pb2.InvokeResponse(**{"return": to_struct(result)})

    def Call(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.tok}: the stand-in has no methods of resources")

    def Construct(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.type}: the stand-in makes no components")


def _kind(request: Any) -> str:
    # the URN ends in …::parent$type::name; older engines do not send the type by itself
    return str(request.type or request.urn.split("::")[2].rpartition("$")[2])


def _diff_response(found: Difference) -> Any:
    detailed = {
        change.path: provider_pb2.PropertyDiff(
            kind=_KINDS.Value(f"{change.kind.upper()}{'_REPLACE' if change.replaces else ''}"), inputDiff=True
        )
        for change in found.changes
    }
    return _DIFF(
        changes=_DIFF.DIFF_SOME if found.changes else _DIFF.DIFF_NONE,
        diffs=found.keys,
        replaces=found.replaces,
        deleteBeforeReplace=found.delete_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )
