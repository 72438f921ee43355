/* A small Lisp that walks over lists. Raw pointers lie in the locals of its functions; what it
   allocates is never freed. */

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind { NUMBER, SYMBOL, PAIR, LAMBDA } Kind;
typedef struct Cell {
  Kind kind;
  long number;
  struct Cell *first, *rest; /* of a lambda: its parameters and body, and where it was made */
  char name[8];
} Cell;

static Cell* symbols; /* a list of all */
static Cell* globals; /* a list of pairs: a symbol and its value */
static const char* at;

static Cell* new_cell(Kind kind) {
  Cell* cell = calloc(1, sizeof(Cell));
  if (cell == NULL) exit(71);
  cell->kind = kind;
  return cell;
}

static Cell* new_number(long number) {
  Cell* cell = new_cell(NUMBER);
  cell->number = number;
  return cell;
}

static Cell* cons(Cell* first, Cell* rest) {
  Cell* cell = new_cell(PAIR);
  cell->first = first;
  cell->rest = rest;
  return cell;
}

static Cell* symbol(const char* name, size_t length) {
  Cell* found;
  Cell* made;
  if (length > 7) exit(65);
  for (found = symbols; found != NULL; found = found->rest) {
    if (strlen(found->first->name) == length && strncmp(found->first->name, name, length) == 0) {
      return found->first;
    }
  }
  made = new_cell(SYMBOL);
  memcpy(made->name, name, length);
  symbols = cons(made, symbols);
  return made;
}

static Cell* read(void) {
  const char* first;
  while (isspace((unsigned char)*at)) ++at;
  first = at;
  if (*at == '(') {
    Cell* list = NULL;
    Cell* last = NULL;
    for (++at; *at != ')'; last = last == NULL ? list : last->rest) {
      Cell* added = cons(read(), NULL);
      if (list == NULL) list = added;
      if (last != NULL) last->rest = added;
      while (isspace((unsigned char)*at)) ++at;
      if (*at == '\0') exit(65);
    }
    ++at;
    return list;
  }
  if (isdigit((unsigned char)*at)) {
    char* end;
    const long value = strtol(at, &end, 10);
    at = end;
    return new_number(value);
  }
  while (*at != '\0' && strchr("() \n", *at) == NULL) ++at;
  if (at == first) exit(65);
  return symbol(first, (size_t)(at - first));
}

static Cell* lookup(Cell* name, Cell* scope) {
  for (; scope != NULL; scope = scope->rest) {
    if (scope->first->first == name) return scope->first->rest;
  }
  for (scope = globals; scope != NULL; scope = scope->rest) {
    if (scope->first->first == name) return scope->first->rest;
  }
  exit(65);
}

static int is(const Cell* cell, const char* name) {
  return cell->kind == SYMBOL && strcmp(cell->name, name) == 0;
}

static Cell* eval(Cell* form, Cell* scope);

static long number_of(Cell* form, Cell* scope) {
  Cell* value = eval(form, scope);
  if (value == NULL || value->kind != NUMBER) exit(65);
  return value->number;
}

static Cell* apply(Cell* function, Cell* arguments, Cell* scope) {
  Cell* inner;
  Cell* names;
  if (function == NULL || function->kind != LAMBDA) exit(65);
  inner = function->rest;
  for (names = function->first->first; names != NULL; names = names->rest) {
    if (arguments == NULL) exit(65);
    inner = cons(cons(names->first, eval(arguments->first, scope)), inner);
    arguments = arguments->rest;
  }
  return eval(function->first->rest->first, inner);
}

static Cell* eval(Cell* form, Cell* scope) {
  Cell* head;
  if (form == NULL || form->kind == NUMBER) return form;
  if (form->kind == SYMBOL) return lookup(form, scope);
  head = form->first;
  form = form->rest;
  if (head == NULL || form == NULL) exit(65);
  if (is(head, "quote")) return form->first;
  if (is(head, "if")) {
    Cell* test = eval(form->first, scope);
    if (test != NULL && test->kind == NUMBER && test->number == 0) form = form->rest;
    return eval(form->rest->first, scope);
  }
  if (is(head, "lambda")) {
    Cell* made = new_cell(LAMBDA);
    made->first = form;
    made->rest = scope;
    return made;
  }
  if (is(head, "define")) {
    Cell* value = eval(form->rest->first, scope);
    globals = cons(cons(form->first, value), globals);
    return value;
  }
  if (is(head, "cons")) {
    Cell* first = eval(form->first, scope);
    return cons(first, eval(form->rest->first, scope));
  }
  if (is(head, "+")) {
    return new_number(number_of(form->first, scope) + number_of(form->rest->first, scope));
  }
  if (is(head, "-")) {
    return new_number(number_of(form->first, scope) - number_of(form->rest->first, scope));
  }
  if (is(head, "<")) {
    return new_number(number_of(form->first, scope) < number_of(form->rest->first, scope));
  }
  return apply(eval(head, scope), form, scope);
}

static void print(const Cell* value) {
  if (value != NULL && value->kind == NUMBER) {
    printf("%ld ", value->number);
  } else if (value != NULL && value->kind == SYMBOL) {
    printf("%s ", value->name);
  } else {
    printf("( ");
    for (; value != NULL && value->kind == PAIR; value = value->rest) print(value->first);
    printf(") ");
  }
}

static void run(const char* program) {
  at = program;
  while (*at != '\0') {
    print(eval(read(), NULL));
    while (isspace((unsigned char)*at)) ++at;
  }
}

int main(void) {
  run("(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))"
      "(define list (lambda (n) (if (< n 1) (quote ()) (cons n (list (- n 1))))))"
      "(list 5) (fib 12) (quote (a (b c)))");
  printf("\n");
  return 0;
}
