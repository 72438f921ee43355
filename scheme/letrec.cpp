/// Procedures and variables that may refer to each other: what is a loop, what needs a box.

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "syntax.hpp"

namespace scheme {
namespace {

/// Calls `visit(var)` for each variable that a node refers to.
template <class Visit>
void each_reference(const Node* node, const Visit& visit) {
  if (node == nullptr) return;
  if (node->kind == Node::local || node->kind == Node::set_local) visit(node->var);
  each_reference(node->a, visit);
  each_reference(node->b, visit);
  each_reference(node->c, visit);
  for (const Node* item : node->list) each_reference(item, visit);
}

/// The procedures that a fix names, while it is found out if all calls of them can be jumps.
using Names = std::unordered_set<const Var*>;

/// Whether `node` uses the names in calls alone, with the right number of arguments, and where the
/// result is that of the whole: `is_tail`.
bool are_jumps(const Node* node, const Names& names, bool is_tail) {
  if (node == nullptr) return true;
  const auto all = [&](const std::vector<Node*>& nodes, bool tail) {
    return std::all_of(nodes.begin(), nodes.end(),
                       [&](const Node* item) { return are_jumps(item, names, tail); });
  };
  switch (node->kind) {
    case Node::local:
      return names.count(node->var) == 0;
    case Node::call:
      if (node->a->kind == Node::local && names.count(node->a->var) != 0) {
        return is_tail && node->list.size() == node->a->var->loop->vars.size() &&
               all(node->list, false);
      }
      return are_jumps(node->a, names, false) && all(node->list, false);
    case Node::choice:
      return are_jumps(node->a, names, false) && are_jumps(node->b, names, is_tail) &&
             are_jumps(node->c, names, is_tail);
    case Node::any:
    case Node::sequence:
      for (std::size_t i = 0; i < node->list.size(); ++i) {
        if (!are_jumps(node->list[i], names, is_tail && i + 1 == node->list.size())) return false;
      }
      return true;
    case Node::let:
      return all(node->list, false) && are_jumps(node->a, names, is_tail);
    case Node::receive:
      return are_jumps(node->b, names, false) && are_jumps(node->a, names, is_tail);
    case Node::fix:
      for (const Node* item : node->list) {
        if (!are_jumps(item->a, names, is_tail && node->is_loop)) return false;
      }
      return are_jumps(node->a, names, is_tail);
    default:
      return are_jumps(node->a, names, false) && are_jumps(node->b, names, false) &&
             are_jumps(node->c, names, false) && all(node->list, false);
  }
}

/// Nested procedures with a name of the loop's in them are closures and cannot be jumped from; the
/// bodies of those lambdas are not tail positions, which are_jumps() sees to.
bool is_loop(const Node* fix) {
  Names names;
  for (std::size_t i = 0; i < fix->vars.size(); ++i) {
    if (fix->vars[i]->is_assigned || fix->list[i]->has_rest) return false;
    names.insert(fix->vars[i]);
    fix->vars[i]->loop = fix->list[i];
  }
  bool are_all = are_jumps(fix->a, names, true);
  for (const Node* item : fix->list) are_all = are_all && are_jumps(item->a, names, true);
  if (!are_all) {
    for (Var* var : fix->vars) var->loop = nullptr;
  }
  return are_all;
}

}  // namespace

Node* Expander::fix(std::vector<Var*> vars, std::vector<Node*> lambdas, Node* body,
                    const Pos& pos) {
  Node* result = node(Node::fix, pos);
  result->vars = std::move(vars);
  result->list = std::move(lambdas);
  result->a = body;
  result->is_loop = is_loop(result);
  return result;
}

/// letrec*: procedures are put off until something evaluated before the end may call them, and are
/// then made together. A variable that may be seen before it has its value is boxed and checked.
/// After Waddell, Sarkar and Dybvig 2005, "Fixing letrec", simplified.
Node* Expander::letrec(std::vector<Var*> vars, std::vector<Node*> values, Node* body,
                       const Pos& pos) {
  struct Step {
    std::vector<Var*> vars;
    std::vector<Node*> values;
    enum { kLet, kFix, kSet } kind;
  };
  std::vector<Step> steps;
  std::vector<std::size_t> waiting;
  std::vector<Var*> late;
  std::unordered_map<const Var*, std::size_t> numbers;
  for (std::size_t i = 0; i < vars.size(); ++i) numbers[vars[i]] = i;

  const auto mark_late = [&](const Node* value, std::size_t from) {
    each_reference(value, [&](Var* var) {
      const auto number = numbers.find(var);
      if (number == numbers.end() || number->second < from) return;
      if (std::find(late.begin(), late.end(), var) != late.end()) return;
      late.push_back(var);
      var->is_assigned = true;
    });
  };
  const auto flush = [&](std::size_t from) {
    if (waiting.empty()) return;
    Step step{{}, {}, Step::kFix};
    for (const std::size_t i : waiting) {
      step.vars.push_back(vars[i]);
      step.values.push_back(values[i]);
      mark_late(values[i], from);
    }
    waiting.clear();
    steps.push_back(std::move(step));
  };
  for (std::size_t i = 0; i < vars.size(); ++i) {
    const bool is_late = std::find(late.begin(), late.end(), vars[i]) != late.end();
    if (values[i]->kind == Node::lambda && !vars[i]->is_assigned && !is_late) {
      waiting.push_back(i);
      continue;
    }
    bool needs_waiting = false;
    each_reference(values[i], [&](Var* var) {
      needs_waiting = needs_waiting || std::any_of(waiting.begin(), waiting.end(),
                                                   [&](std::size_t k) { return vars[k] == var; });
    });
    if (needs_waiting) flush(i);
    mark_late(values[i], i);
    const bool is_late_now = std::find(late.begin(), late.end(), vars[i]) != late.end();
    steps.push_back({{vars[i]}, {values[i]}, is_late_now ? Step::kSet : Step::kLet});
  }
  flush(vars.size());

  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    switch (step->kind) {
      case Step::kFix:
        body = fix(step->vars, step->values, body, pos);
        break;
      case Step::kLet: {
        Node* outer = node(Node::let, pos);
        outer->vars = step->vars;
        outer->list = step->values;
        outer->a = body;
        body = outer;
        break;
      }
      case Step::kSet: {
        Node* set = node(Node::set_local, pos);
        set->var = step->vars[0];
        set->a = step->values[0];
        body = sequence({set, body}, pos);
        break;
      }
    }
  }
  if (late.empty()) return body;
  Node* outer = node(Node::let, pos);
  outer->vars = late;
  outer->list.assign(late.size(), constant(kUnassigned, pos));
  outer->a = body;
  return outer;
}

}  // namespace scheme
