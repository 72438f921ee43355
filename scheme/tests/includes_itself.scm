(include "includes_itself.scm")
