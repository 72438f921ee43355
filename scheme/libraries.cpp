/// Libraries: the standard ones, those that programs define, and what is imported of them.

#include <algorithm>
#include <string_view>

#include "compile.hpp"
#include "environment.hpp"
#include "hash.hpp"
#include "interp.hpp"
#include "lists.hpp"
#include "ports.hpp"
#include "reader.hpp"
#include "standard_libraries.hpp"
#include "syntax.hpp"
#include "text.hpp"

namespace scheme {
namespace {

using Names = std::vector<std::pair<Value, Value>>;  ///< What is imported as, what it is.

[[noreturn]] void bad_import(Interp& in, const char* message, Value what) {
  in.fail(message, {what}, kSyntaxCondition);
}

/// The exports of a library, or of the import set around one.
Names exports_of(Interp& in, Value set) {
  if (!in.is_pair(set) || list_length(in, set) < 1) bad_import(in, "malformed import set:", set);
  const auto is_modifier = [&](const char* name) {
    return in.is_symbol(in.car(set)) && in.utf8(in.car(set)) == name && in.is_pair(in.cdr(set)) &&
           in.is_pair(in.car(in.cdr(set)));
  };
  const auto find = [&](Names& names, Value name) {
    for (auto entry = names.begin(); entry != names.end(); ++entry) {
      if (entry->first == name) return entry;
    }
    bad_import(in, "the library does not export:", name);
  };
  const Value arguments = in.cdr(set);
  const Value modifiers = arguments == kNil ? kNil : in.cdr(arguments);
  if (is_modifier("only")) {
    Names from = exports_of(in, in.car(arguments));
    Names names;
    for (Value rest = modifiers; in.is_pair(rest); rest = in.cdr(rest)) {
      names.push_back(*find(from, in.car(rest)));
    }
    return names;
  }
  if (is_modifier("except")) {
    Names names = exports_of(in, in.car(arguments));
    for (Value rest = modifiers; in.is_pair(rest); rest = in.cdr(rest)) {
      names.erase(find(names, in.car(rest)));
    }
    return names;
  }
  if (is_modifier("prefix") && in.is_pair(modifiers) && in.is_symbol(in.car(modifiers))) {
    Names names = exports_of(in, in.car(arguments));
    for (auto& [name, binding] : names) {
      std::u32string prefixed(in.name_of(in.car(modifiers)));
      name = in.intern(prefixed.append(in.name_of(name)));
    }
    return names;
  }
  if (is_modifier("rename")) {
    Names names = exports_of(in, in.car(arguments));
    std::vector<std::pair<std::size_t, Value>> changes;
    for (Value rest = modifiers; in.is_pair(rest); rest = in.cdr(rest)) {
      if (list_length(in, in.car(rest)) != 2) bad_import(in, "malformed import set:", set);
      changes.emplace_back(find(names, in.car(in.car(rest))) - names.begin(),
                           in.car(in.cdr(in.car(rest))));
    }
    for (const auto& [index, name] : changes) names[index].first = name;
    return names;
  }

  const Value library = find_library(in, set);
  if (!is_object(library)) bad_import(in, "unknown library:", set);
  Names names;
  const Value exports = in.at<Environment>(library)->exports.get();
  if (exports == kFalse) {
    each_binding(in, library,
                 [&](Value name, Value binding) { names.emplace_back(name, binding); });
    return names;
  }
  for (Value rest = exports; in.is_pair(rest); rest = in.cdr(rest)) {
    const Value binding = find_binding(in, library, in.cdr(in.car(rest)));
    if (!is_object(binding)) bad_import(in, "exported, but not defined:", in.cdr(in.car(rest)));
    names.emplace_back(in.car(in.car(rest)), binding);
  }
  return names;
}

/// Whether the reader can put the file's name in the directory of the including file.
std::string beside(std::string_view file, std::string_view included) {
  const std::size_t slash = file.rfind('/');
  if (included.starts_with("/") || slash == std::string_view::npos) return std::string(included);
  return std::string(file.substr(0, slash + 1)).append(included);
}

}  // namespace

void import(Interp& in, Value env, Value import_set) {
  Pins pins(in);
  for (const auto& [name, binding] : exports_of(in, import_set)) {
    bind_imported(in, env, name, binding);
  }
}

Value find_library(Interp& in, Value name) {
  for (Value rest = in.registers.libraries; in.is_pair(rest); rest = in.cdr(rest)) {
    if (is_equal(in, in.car(in.car(rest)), name)) return in.cdr(in.car(rest));
  }
  std::string_view names = standard_library(in.describe(name));
  if (names.empty()) return kFalse;
  // Made when it is first asked for: an environment that has the core's bindings of those names.
  Pins pins(in);
  const Value library = make_environment(in, kFalse, kFixedNames);
  // Not read by the Reader, with which an import takes twice as long.
  for (std::size_t end = 0; !names.empty(); names.remove_prefix(std::min(end + 1, names.size()))) {
    end = std::min(names.find_first_of(" \n"), names.size());
    if (end == 0) continue;
    const Value symbol = in.symbol(names.substr(0, end));
    const Value binding = find_binding(in, in.registers.core, symbol);
    if (is_object(binding)) bind(in, library, symbol, binding);
  }
  add_library(in, name, library);
  return library;
}

void add_library(Interp& in, Value name, Value env) {
  const Rooted rooted_name(in, name), rooted_env(in, env);
  const Value entry = in.cons(name, env);
  in.registers.libraries = in.cons(entry, in.registers.libraries);
}

bool has_feature(Interp& in, Value symbol) {
  const std::string name = in.utf8(symbol);
  for (const char* feature : kFeatures) {
    if (name == feature) return true;
  }
  return false;
}

Value features(Interp& in) {
  ListBuilder list(in);
  for (const char* feature : kFeatures) list.add(in.symbol(feature));
  return list.finish();
}

/// A cond-expand requirement.
bool Expander::requirement_holds(Value requirement, Scope* scope, const Pos& pos) {
  in_.check_native_stack(pos);
  requirement = strip(requirement);
  if (in_.is_symbol(requirement)) {
    return in_.utf8(requirement) == "else" || has_feature(in_, requirement);
  }
  check_list(requirement, pos, 1);
  if (!in_.is_symbol(in_.car(requirement))) fail(pos, "malformed requirement:", requirement);
  const std::string word = in_.utf8(in_.car(requirement));
  const Value rest = in_.cdr(requirement);
  if (word == "library" && in_.is_pair(rest)) return is_object(find_library(in_, in_.car(rest)));
  if (word == "not" && in_.is_pair(rest)) return !requirement_holds(in_.car(rest), scope, pos);
  if (word != "and" && word != "or") fail(pos, "malformed requirement:", requirement);
  for (Value items = rest; items != kNil; items = in_.cdr(items)) {
    if (requirement_holds(in_.car(items), scope, pos) == (word == "or")) return word == "or";
  }
  return word == "and";
}

/// The forms of the first clause whose requirement holds.
Value Expander::cond_expand_forms(Value form, Scope* scope, const Pos& pos) {
  for (Value rest = in_.cdr(form); rest != kNil; rest = in_.cdr(rest)) {
    const Value clause = check_list(in_.car(rest), pos, 1);
    if (requirement_holds(in_.car(clause), scope, pos)) return in_.cdr(clause);
  }
  return kNil;
}

Node* Expander::form_cond_expand(Value form, Scope* scope, const Pos& pos) {
  return expand_sequence(cond_expand_forms(form, scope, pos), scope, pos);
}

/// All data of the files named, whose own file is looked for beside the including one.
Value Expander::include_forms(Value form, Scope*, const Pos& pos, bool folds_case) {
  ListBuilder forms(in_);
  for (Value rest = in_.cdr(form); rest != kNil; rest = in_.cdr(rest)) {
    if (!in_.is(in_.car(rest), kString)) fail(pos, "malformed", form);
    // Files that include one another.
    if (++includes_ > 1000) fail(pos, "inclusion does not end:", form);
    const std::string name =
        beside(in_.is(file_, kString) ? in_.utf8(file_) : "", in_.utf8(in_.car(rest)));
    const Value port = open_file(in_, name, kInputPort | kTextualPort);
    if (folds_case) in_.at<Port>(port)->flags |= kFoldCasePort;
    Reader reader(in_, port);
    for (Value datum = reader.read(); datum != kEof; datum = reader.read()) forms.add(datum);
    close_port(in_, in_.at<Port>(port));
  }
  return forms.finish();
}

Node* Expander::form_include(Value form, Scope* scope, const Pos& pos) {
  return expand_sequence(include_forms(form, scope, pos, false), scope, pos);
}

void Expander::import_set(Value set, Scope* scope, const Pos& pos) {
  if (in_.at<Environment>(scope->env)->rule == kFixedNames) {
    fail(pos, "the environment is immutable, and cannot import", set);
  }
  try {
    import(in_, scope->env, strip(set));
  } catch (const Raised& raised) {
    in_.put_place(raised.object, pos);
    throw;
  }
}

/// `(define-library name declaration ...)`. The body runs where the definition stands.
Node* Expander::define_library(Value form, Scope*, const Pos& pos) {
  check_list(form, pos, 2);
  const Value name = strip(nth(form, 1));
  check_list(name, pos, 1);
  const Value env = make_environment(in_, kFalse, kLibraryNames);
  Value exports = kNil;
  std::vector<Node*> body;
  // Imports first: declarations may come in any order.
  library_declarations(in_.cdr(in_.cdr(form)), scope_of(env), exports, body, pos);
  in_.at<Environment>(env)->exports.set(exports);
  add_library(in_, name, env);
  body.push_back(constant(kUnspecified, pos));
  return sequence(std::move(body), pos);
}

void Expander::library_declarations(Value declarations, Scope* scope, Value& exports,
                                    std::vector<Node*>& body, const Pos& outer) {
  check_list(declarations, outer, 0);
  const auto word_of = [&](Value declaration, const Pos& pos) {
    check_list(declaration, pos, 1);
    if (!is_identifier(in_.car(declaration))) fail(pos, "malformed declaration:", declaration);
    return in_.utf8(symbol_of(in_.car(declaration)));
  };
  for (Value rest = declarations; rest != kNil; rest = in_.cdr(rest)) {
    const Pos pos = pos_of(in_.car(rest), outer);
    if (word_of(in_.car(rest), pos) != "import") continue;
    for (Value sets = in_.cdr(in_.car(rest)); sets != kNil; sets = in_.cdr(sets)) {
      import_set(in_.car(sets), scope, pos);
    }
  }
  for (Value rest = declarations; rest != kNil; rest = in_.cdr(rest)) {
    const Value declaration = in_.car(rest);
    const Pos pos = pos_of(declaration, outer);
    const std::string word = word_of(declaration, pos);
    if (word == "export") {
      for (Value specs = in_.cdr(declaration); specs != kNil; specs = in_.cdr(specs)) {
        const Value spec = strip(in_.car(specs));
        const bool is_renamed = list_length(in_, spec) == 3;
        if (!is_renamed && !in_.is_symbol(spec)) fail(pos, "malformed export:", spec);
        exports = in_.cons(is_renamed ? in_.cons(nth(spec, 2), nth(spec, 1)) : in_.cons(spec, spec),
                           exports);
      }
    } else if (word == "begin") {
      for (Value forms = in_.cdr(declaration); forms != kNil; forms = in_.cdr(forms)) {
        body.push_back(toplevel(in_.car(forms), scope, pos_of(forms, pos)));
      }
    } else if (word == "include" || word == "include-ci") {
      Value forms = include_forms(declaration, scope, pos, word == "include-ci");
      for (; forms != kNil; forms = in_.cdr(forms)) {
        body.push_back(toplevel(in_.car(forms), scope, pos));
      }
    } else if (word == "include-library-declarations") {
      library_declarations(include_forms(declaration, scope, pos, false), scope, exports, body,
                           pos);
    } else if (word == "cond-expand") {
      library_declarations(cond_expand_forms(declaration, scope, pos), scope, exports, body, pos);
    } else if (word != "import") {
      fail(pos, "unknown library declaration:", declaration);
    }
  }
}

}  // namespace scheme
