#!/usr/bin/env python3
"""A host in Python: what every language with a foreign function interface can do.

Usage: host.py LIBRARY FOLDER

Loads the library, gives one component five services, configures it, waits for the status that
names the broker, and ends it. Prints one JSON object. Standard library only.
"""

import ctypes as c
import json
import queue
import sys

PID = "first"
STRING, INTEGER, BOOLEAN = 1, 5, 8  # GWC_TYPE_...
OK, NOT_FOUND = 0, 4


class Str(c.Structure):
    _fields_ = [("ptr", c.c_char_p), ("len", c.c_uint64)]


class Bytes(c.Structure):
    _fields_ = [("ptr", c.c_void_p), ("len", c.c_uint64)]


PUT = c.CFUNCTYPE(None, c.c_void_p, Bytes)


class Sink(c.Structure):
    _fields_ = [("ctx", c.c_void_p), ("put", PUT)]


class Error(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("status", c.c_int32), ("code", c.c_char * 64), ("message", c.c_char * 512)]


class Property(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("type", c.c_uint32), ("is_array", c.c_uint32), ("count", c.c_uint32), ("name", Str), ("values", c.c_void_p)]


class Properties(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("property_size", c.c_uint32), ("count", c.c_uint64), ("items", c.POINTER(Property))]


class Item(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved", c.c_uint32), ("pid", Str), ("factory_pid", Str), ("properties", c.POINTER(Properties))]


class List(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("item_size", c.c_uint32), ("count", c.c_uint64), ("items", c.POINTER(Item))]


class ListSink(c.Structure):
    _fields_ = [("ctx", c.c_void_p), ("put", c.CFUNCTYPE(None, c.c_void_p, c.POINTER(List)))]


def table(*functions):
    """A struct of struct_size, reserved and the functions given as (name, type)."""
    class Table(c.Structure):
        _fields_ = [("struct_size", c.c_uint32), ("reserved", c.c_uint32), *functions]
    return Table


ERR, VOID = c.POINTER(Error), c.c_void_p
status_fn = lambda *arguments: c.CFUNCTYPE(c.c_int32, *arguments)  # noqa: E731
GET_EXTENSION = c.CFUNCTYPE(VOID, VOID, Str)
Log = table(("max_level", c.CFUNCTYPE(c.c_uint32, VOID)), ("write", c.CFUNCTYPE(None, VOID, c.c_uint32, Str, Str)))
Storage = table(("folder", status_fn(VOID, Sink, ERR)))
System = table(("get", status_fn(VOID, Str, Sink, ERR)))
Keystore = table(("list", status_fn(VOID, Str, Sink, ERR)))  # and more, which this host lacks
Configuration = table(("get", status_fn(VOID, Str, c.c_uint32, ListSink, ERR)))  # likewise
Status = table(("get", status_fn(VOID, Sink, ERR)), ("watch", status_fn(VOID, Sink, ERR)))
Host = table(("ctx", VOID), ("name", Str), ("version", Str), ("get_extension", GET_EXTENSION))
Lifecycle = status_fn(VOID, c.POINTER(Properties), ERR)
Ops = table(("activate", Lifecycle), ("update", Lifecycle), ("deactivate", status_fn(VOID, ERR)), ("destroy", status_fn(VOID, ERR)), ("get_extension", GET_EXTENSION))
Info = table(("factory_pid", Str), ("description", Str))


class Module(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("abi_major", c.c_uint32), ("abi_minor", c.c_uint32), ("component_size", c.c_uint32),
        ("component_count", c.c_uint64), ("components", c.POINTER(Info)),
        ("name", Str), ("version", Str), ("vendor", Str), ("build_date", Str),
        ("metatype", status_fn(Str, Str, Sink, ERR)),
        ("create", status_fn(Str, c.POINTER(Host), Str, c.POINTER(VOID), ERR)),
        ("ops", c.POINTER(Ops)),
    ]


def string(text):
    data = text.encode()
    return Str(data, len(data))


def text(value):
    return c.string_at(value.ptr, value.len).decode() if value.len else ""


def put(out, data):
    out.put(out.ctx, Bytes(c.cast(c.c_char_p(data), VOID), len(data)))


def sized(kind, **fields):
    return kind(struct_size=c.sizeof(kind), **fields)


def properties(values):
    """The list, and what it points to, which must stay alive with it."""
    items, kept = (Property * len(values))(), []
    for item, (name, value) in zip(items, values.items()):
        if isinstance(value, bool):
            kind, element = BOOLEAN, c.c_uint8(value)
        elif isinstance(value, int):
            kind, element = INTEGER, c.c_int32(value)
        else:
            kind, element = STRING, string(value)
        kept.append(element)
        item.struct_size, item.type, item.count, item.name = c.sizeof(Property), kind, 1, string(name)
        item.values = c.cast(c.pointer(element), VOID)
    return sized(Properties, property_size=c.sizeof(Property), count=len(values), items=items), (items, kept)


def main(library, folder):
    entry = c.CDLL(library).gwc_entry
    entry.restype, entry.argtypes = c.POINTER(Module), [c.c_uint32]
    module = entry(1).contents
    own, kept = properties({"enabled": False, "broker-url": "mqtts://broker.example", "account-name": "claims", "retry-interval": 30})
    lines, facts, changes = [], {"kura.serialNumber": b"PY-0001"}, queue.Queue()

    def fact(_ctx, name, out, _err):
        if text(name) not in facts:
            return NOT_FOUND
        put(out, facts[text(name)])
        return OK

    def configurations(_ctx, _pid, _flags, out, _err):
        item = sized(Item, pid=string(PID), properties=c.pointer(own))
        out.put(out.ctx, c.byref(sized(List, item_size=c.sizeof(Item), count=1, items=c.pointer(item))))
        return OK

    def folder_of(_ctx, out, _err):
        put(out, folder.encode())
        return OK

    def make(kind, **functions):
        types = dict(kind._fields_)
        return sized(kind, **{name: types[name](function) for name, function in functions.items()})

    services = {
        "gwc.log/1": make(Log, max_level=lambda _: 3, write=lambda _c, _l, _t, message: lines.append(text(message))),
        "gwc.storage/1": make(Storage, folder=folder_of),
        "gwc.system/1": make(System, get=fact),
        "gwc.keystore/1": make(Keystore, list=lambda *_: OK),
        "gwc.configuration/1": make(Configuration, get=configurations),
    }
    offer = GET_EXTENSION(lambda _ctx, name: c.addressof(services[text(name)]) if text(name) in services else None)
    host = sized(Host, name=string("python"), version=string("3"), get_extension=offer)

    err, got = sized(Error), []

    def check(status):
        if status != OK:
            raise SystemExit(f"{err.status} {err.code.decode()}: {err.message.decode()}")

    collect = Sink(None, PUT(lambda _ctx, data: got.append(c.string_at(data.ptr, data.len).decode())))
    pid, this, ops = module.components[0].factory_pid, VOID(), module.ops.contents
    check(module.metatype(pid, string(""), collect, err))
    check(module.create(pid, host, string(PID), c.byref(this), err))
    changed = Sink(None, PUT(lambda _ctx, data: changes.put(json.loads(c.string_at(data.ptr, data.len)))))
    try:
        status = Status.from_address(ops.get_extension(this, string("gwc.status/1")))
        check(status.watch(this, changed, err))
        check(ops.activate(this, own, err))
        while (document := changes.get(timeout=10))["state"] != "idle":
            pass  # e.g. reading its journal
        check(ops.deactivate(this, err))
        check(status.get(this, collect, err))
        again = ops.update(this, own, err)
        refused = {"status": again, "message": err.message.decode()}
    finally:
        # Whatever happened: the functions above end with this one, and it may still call them.
        destroyed = ops.destroy(this, err)
    check(destroyed)
    print(json.dumps({
        "module": text(module.name), "version": text(module.version), "factory_pid": text(pid), "metatype": got[0],
        "configured": document, "ended": json.loads(got[1]), "refused": refused, "log": lines,
    }))
    del kept


if __name__ == "__main__":
    main(*sys.argv[1:])
