#pragma once

#include <cstdint>

namespace scheme {

/// The VM's instructions: `X(name)`. Operands a, b and c are slots of the frame unless said
/// otherwise; `imm` takes the place of b and c; jumps count instructions from the next one on.
///
/// A frame on the stack, as the callee sees it:
///
///   fp[-2]            fp[-1]       fp[0] ... fp[n - 1]   fp[n] ...
///   | return address | procedure | arguments            | variables, temporaries
///
/// The caller at `a` puts the procedure at a + 1 and the arguments at a + 2 on, and finds the
/// result at a.
#define SCHEME_OPS(X)                                                                              \
  X(underflow)     /* under the bottom frame */                                                    \
  X(enter)         /* x parameters, frame of a slots */                                            \
  X(enter_rest)    /* x parameters and a list of the rest, frame of a slots */                     \
  X(case_exact)    /* if x arguments: jump by imm, to an enter */                                  \
  X(case_least)    /* if at least x arguments: the rest as a list, jump likewise */                \
  X(case_none)     /* no clause takes the arguments */                                             \
  X(move)          /* a = b */                                                                     \
  X(constant)      /* a = imm, a value */                                                          \
  X(global)        /* a = the cell at imm */                                                       \
  X(set_global)    /* the cell at imm = a; it has to be defined */                                 \
  X(define_global) /* the cell at imm = a */                                                       \
  X(self)          /* a = the procedure that runs */                                               \
  X(free)          /* a = free variable b */                                                       \
  X(free_unbox)    /* a = what is in the box in free variable b */                                 \
  X(free_set_box)  /* the box in free variable b = a */                                            \
  X(box)           /* a = a new box with b */                                                      \
  X(unbox)         /* a = what is in box b */                                                      \
  X(set_box)       /* box a = b */                                                                 \
  X(closure)       /* a = closure of the code at imm; x captures follow, 255: count in the next */ \
  X(capture)       /* x: 0 slot a, 1 free variable a, 2 the procedure itself, 3 later */           \
  X(patch)         /* free variable b of closure a = c */                                          \
  X(jump)          /* by imm */                                                                    \
  X(loop)          /* by imm, back */                                                              \
  X(jump_false)    /* if a is #f, by imm */                                                        \
  X(jump_true)     /* if a is not #f, by imm */                                                    \
  X(jump_eq)       /* if a is b, by c */                                                           \
  X(jump_not_eq)                                                                                   \
  X(jump_null) /* if a is (), by imm */                                                            \
  X(jump_not_null)                                                                                 \
  X(jump_type) /* if a is an object of type x, by imm */                                           \
  X(jump_not_type)                                                                                 \
  X(jump_less) /* if a < b, by c */                                                                \
  X(jump_not_less)                                                                                 \
  X(jump_at_most)                                                                                  \
  X(jump_not_at_most)                                                                              \
  X(jump_equal) /* if a = b as numbers, by c */                                                    \
  X(jump_not_equal)                                                                                \
  X(jump_less_imm) /* if a < fixnum b, by c */                                                     \
  X(jump_not_less_imm)                                                                             \
  X(jump_at_most_imm)                                                                              \
  X(jump_not_at_most_imm)                                                                          \
  X(jump_greater_imm)                                                                              \
  X(jump_not_greater_imm)                                                                          \
  X(jump_at_least_imm)                                                                             \
  X(jump_not_at_least_imm)                                                                         \
  X(jump_equal_imm)                                                                                \
  X(jump_not_equal_imm)                                                                            \
  X(call) /* x arguments, 255: b arguments */                                                      \
  X(tail_call)                                                                                     \
  X(call_global) /* x arguments, to the cell at imm */                                             \
  X(tail_call_global)                                                                              \
  X(call_builtin) /* a = builtin c of the x arguments from slot b on */                            \
  X(ret)          /* a */                                                                          \
  X(ret_constant) /* imm, a value */                                                               \
  X(unpack)       /* x slots from a on = the values in b; c != 0: the last gets a list */          \
  X(not_)         /* a = not b */                                                                  \
  X(eq)           /* a = b eq c */                                                                 \
  X(eqv)                                                                                           \
  X(is_null) /* a = whether b is () */                                                             \
  X(is_type) /* a = whether b is an object of type x */                                            \
  X(is_char)                                                                                       \
  X(cons)                                                                                          \
  X(car)                                                                                           \
  X(cdr)                                                                                           \
  X(caar)                                                                                          \
  X(cadr)                                                                                          \
  X(cdar)                                                                                          \
  X(cddr)                                                                                          \
  X(caddr)                                                                                         \
  X(set_car) /* of a = b */                                                                        \
  X(set_cdr)                                                                                       \
  X(add) /* a = b + c */                                                                           \
  X(sub)                                                                                           \
  X(mul)                                                                                           \
  X(div)                                                                                           \
  X(add_imm) /* a = b + fixnum c */                                                                \
  X(quotient)                                                                                      \
  X(remainder)                                                                                     \
  X(modulo)                                                                                        \
  X(less)                                                                                          \
  X(at_most)                                                                                       \
  X(num_equal)                                                                                     \
  X(vector_ref)                                                                                    \
  X(vector_set) /* a[b] = c */                                                                     \
  X(string_ref)                                                                                    \
  X(bytevector_ref)                                                                                \
  X(record_ref) /* a = field c of b, a record of the type in the next instruction's imm */         \
  X(record_set) /* field c of a = b, likewise */                                                   \
  X(is_record)  /* a = whether b is a record of the type in the next instruction's imm */

enum class Op : std::uint8_t {
#define X(name) name,
  SCHEME_OPS(X)
#undef X
};

}  // namespace scheme
