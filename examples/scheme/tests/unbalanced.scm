(display "a")
(display (foo
