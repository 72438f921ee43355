#!/usr/bin/env python3
"""null_arguments.py besom.h OUTPUT.c: a case for each pointer that a function of the header takes.

The case calls the function with NULL there and with something right everywhere else; null_arguments.h
runs it in a child process. Of a function that is new the cases are there by themselves; of a type
that is new, this stops and asks for something right to be given.
"""

import re
import sys

# Something right for each type of parameter, in terms of the Fixture in null_arguments.h.
RIGHT = {
    "besom_heap*": "f->heap",
    "besom_heap**": "&f->other",
    "besom_handle*": "f->handle",
    "besom_weak*": "f->weak",
    "besom_guardian*": "f->guardian",
    "besom_fiber*": "f->fiber",
    "besom_registration*": "f->registration",
    "besom_tracer*": "f->tracer",
    "besom_mark_view*": "f->marks",
    "besom_options*": "&f->options",
    "besom_error*": "&f->error",
    "besom_descriptor*": "&f->descriptor",
    "besom_field*": "f->fields",
    "besom_type*": "&f->type",
    "besom_contract*": "&f->contract",
    "besom_local*": "&f->local",
    "besom_mark*": "&f->mark",
    "besom_entry*": "&f->entry",
    "besom_labeller*": "&f->labeller",
    "besom_stop": "BESOM_STOP_FULL",
    "besom_stop_stats*": "&f->stops",
    "besom_utilisation*": "&f->utilisation",
    "besom_snapshot*": "&f->snapshot",
    "besom_collection*": "&f->collection",
    "besom_stats*": "&f->stats",
    "char*": "f->text",
    "void*": "f->object",
    "void**": "&f->pointer",
    "besom_ref*": "f->slots",
    "besom_value*": "f->slots",
    "uint32_t*": "f->slots",
    "uint64_t*": "&f->count",
    "besom_type": "f->pair",
    "besom_ref": "besom_ref_of(f->object)",
    "besom_value": "besom_integer(1)",
    "besom_standard": "BESOM_BYTE_ARRAY",
    "size_t": "sizeof f->text",
    "besom_box_format*": "&f->format",
    "bool": "true",
    "int32_t": "1",
    "int64_t": "1",
    "uint32_t": "1",
    "uint64_t": "1",
}
# Where a type alone does not say what is right.
RIGHT_BY_NAME = {
    "table": "f->table",
    "box": "f->box",
    "ephemeron": "f->ephemeron",
    "begin": "f->slots",
    "end": "f->slots + 4",
    "base": "NULL",
    "name": '"/nonexistent/besom.heapsnapshot"',
    "text": '"growth=fixed"',
}
TYPES = {("besom_weak_box_new", "type"): "f->box_type",
         ("besom_ephemeron_new", "type"): "f->ephemeron_type",
         ("besom_table_new", "table"): "f->table_type",
         ("besom_table_new", "entries"): "f->entries_type",
         # The thread itself, which runs: nothing is called.
         ("besom_switch_to", "fiber"): "NULL"}

# The pointers that besom.h says may be NULL: nothing but a crash is wrong then.
MAY_BE_NULL = {
    "besom_step_cycle": {"left"},
    "besom_error_message": {"buffer"},
    "besom_last_error": {"heap"},
    "besom_options_parse": {"error"},
    "besom_options_check": {"error"},
    "besom_heap_create": {"options", "error"},
    "besom_check": {"object"},
    "besom_contains": {"address"},
    "besom_object_start": {"address"},
    "besom_ref_of": {"object"},
    "besom_store_ref": {"object"},
    "besom_store_pointer": {"pointer"},
    "besom_handle_new": {"object"},
    "besom_handle_check": {"object"},
    "besom_handle_set": {"object"},
    "besom_local_push": {"object"},
    "besom_local_check": {"object"},
    "besom_local_set": {"object"},
    "besom_scan_native_stack": {"base"},
    "besom_switch_to": {"fiber"},
    "besom_is_marked": {"object"},
    "besom_visit_pointer": {"pointer"},
    "besom_visit_interior": {"address"},
    "besom_weak_new": {"object"},
    "besom_weak_check": {"object"},
    "besom_weak_set": {"object"},
    "besom_guardian_new": {"callback"},
    "besom_guard": {"agent"},
    "besom_guard_both": {"agent"},
    "besom_run_finalizers": {"called"},
    "besom_verify": {"visitor", "defects"},
    "besom_verify_most": {"visitor", "defects"},
    "besom_write_snapshot": {"labeller", "snapshot"},
    "besom_save_snapshot": {"labeller", "snapshot"},
    "besom_set_listener": {"listener"},
    "besom_set_site_namer": {"namer"},
}
ALWAYS_MAY_BE_NULL = {"user", "label"}


def split_parameter(text):
    """("const char*", "label")"""
    kind, name = re.fullmatch(r"(.*?)(\w+)", text.strip()).groups()
    return re.sub(r"\s+", " ", kind).strip(), name


def parameters(text):
    return [] if text.strip() in ("", "void") else [split_parameter(p) for p in text.split(",")]


def main():
    header = open(sys.argv[1], encoding="utf-8").read()
    header = re.sub(r"/\*.*?\*/|//[^\n]*", "", header, flags=re.S)
    callbacks = {}
    for result, name, arguments in re.findall(
            r"typedef ([\w ]+?\**) ?\(\*(besom_\w+)\)\(([^()]*)\);", header):
        callbacks[name] = (result, parameters(arguments))
    functions = re.findall(
        r"(?:BESOM_API|static inline) ([\w ]+?\**) ?(besom_\w+)\(([^()]*)\)", header)
    if len(functions) < 100:
        sys.exit("fewer functions than there are: the header is not read as it is written")

    out = ['#include "tests/gc/c_api/null_arguments.h"\n']
    taken = {kind for _, _, arguments in functions for kind, _ in parameters(arguments)}
    for name, (result, arguments) in callbacks.items():
        if name not in taken:
            continue
        list_ = ", ".join(f"{kind} {argument}" for kind, argument in arguments)
        unused = "".join(f"  (void){argument};\n" for _, argument in arguments)
        answer = "" if result == "void" else "  return 0;\n"
        out.append(f"static {result} right_{name}({list_}) {{\n{unused}{answer}}}\n")

    def right(function, kind, name):
        if (function, name) in TYPES:
            return TYPES[function, name]
        if kind in callbacks:
            return f"right_{kind}"
        if kind == "void*" and name == "user":
            return "f"
        if name in RIGHT_BY_NAME and "*" in kind:
            return RIGHT_BY_NAME[name]
        plain = kind.replace("const ", "")
        if plain not in RIGHT:
            sys.exit(f"{function}: give something right for {kind} {name}")
        return RIGHT[plain]

    rows = []
    for result, function, arguments in functions:
        arguments = parameters(arguments)
        for nulled, (kind, name) in enumerate(arguments):
            if "*" not in kind and kind not in callbacks:
                continue
            values = ["NULL" if i == nulled else right(function, *argument)
                      for i, argument in enumerate(arguments)]
            call = f"{function}({', '.join(values)})"
            may_be_null = name in ALWAYS_MAY_BE_NULL | MAY_BE_NULL.get(function, set())
            where = "ANYWHERE"
            if any("besom_tracer*" in k for k, _ in arguments):
                where = "IN_ROOT_CALLBACK"
            if any("besom_mark_view*" in k for k, _ in arguments):
                where = "IN_MARK_HOOK"
            if result == "void":
                body = f"  {call};\n  return true;\n"
            elif may_be_null:
                body = f"  (void){call};\n  return true;\n"
            elif result == "besom_status":
                is_object = "void*" in kind and "**" not in kind
                status = "BESOM_BAD_REF" if is_object else "BESOM_BAD_ARGUMENT"
                body = f"  return {call} == {status};\n"
            elif result == "besom_contract":
                body = f"  return {call}.object_bytes == 0;\n"
            else:
                body = f"  return {call} == 0;\n"
            case = f"null_for_{function[6:]}_{name}"
            unused = "  (void)f;\n" if "f->" not in body and "f)" not in body else ""
            out.append(f"static bool {case}(Fixture* f) {{\n{unused}{body}}}\n")
            rows.append(f'    {{"{function}", "{name}", {case}, {where}}},\n')
    out.append("const Case cases[] = {\n" + "".join(rows) + "};\n")
    out.append("const size_t case_count = sizeof cases / sizeof *cases;\n")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write("".join(out))


main()
