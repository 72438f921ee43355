(* pauses.cpp in OCaml: pauses OBJECTS STEPS EVERY *)
let batch = 500
let argument i = int_of_string Sys.argv.(i)
let objects = argument 1
let steps = argument 2
let every = argument 3

type node = { mutable a : node; mutable b : node; mutable c : node; mutable d : node; number : int }
type pair = { from : node; into : node }

let state = ref 2463534242
let below bound =
  let x = !state in
  let x = (x lxor (x lsl 13)) land 0xffffffff in
  let x = x lxor (x lsr 17) in
  let x = (x lxor (x lsl 5)) land 0xffffffff in
  state := x;
  x mod bound

let rec nobody = { a = nobody; b = nobody; c = nobody; d = nobody; number = 0 }
let nodes = Array.make objects nobody
let any () = nodes.(below objects)
let set node edge target =
  match edge with
  | 0 -> node.a <- target
  | 1 -> node.b <- target
  | 2 -> node.c <- target
  | _ -> node.d <- target
let connect node = for edge = 0 to 3 do set node edge (any ()) done

let () =
  for i = 0 to objects - 1 do nodes.(i) <- { nobody with number = i } done;
  Array.iter connect nodes;
  let times = Array.make (steps / batch + 1) (Sys.time ()) in
  for step = 1 to steps do
    let from = any () in
    let edge = below 4 in
    let into = any () in
    set from edge into;
    ignore (Sys.opaque_identity { from; into });
    if step mod every = 0 then begin
      let node = { nobody with number = step } in
      connect node;
      nodes.(below objects) <- node
    end;
    if step mod batch = 0 then times.(step / batch) <- Sys.time ()
  done;
  let sum = ref 0 in
  let add node = sum := (!sum * 31 + node.number) land 0xffffffff in
  Array.iter (fun node -> add node.a; add node.b; add node.c; add node.d) nodes;
  Printf.printf "check=%d\n" !sum;
  for i = 1 to steps / batch do Printf.printf "%.0f\n" ((times.(i) -. times.(i - 1)) *. 1e9) done
