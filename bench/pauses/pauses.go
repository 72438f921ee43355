// pauses.cpp in Go: pauses OBJECTS STEPS EVERY
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

const batch = 500

type node struct {
	edges  [4]*node
	number uint64
}
type pair struct{ from, to *node }

var (
	objects = argument(1)
	nodes   = make([]*node, objects)
	state   = uint32(2463534242)
	sink    *pair
)

func argument(i int) uint64 {
	number, err := strconv.ParseUint(os.Args[i], 10, 32)
	if err != nil {
		panic(err)
	}
	return number
}

func below(bound uint32) uint32 {
	state ^= state << 13
	state ^= state >> 17
	state ^= state << 5
	return state % bound
}
func any() *node { return nodes[below(uint32(objects))] }
func (n *node) connect() {
	for i := range n.edges {
		n.edges[i] = any()
	}
}

func cpuNs() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	steps, every := argument(2), argument(3)
	for i := range nodes {
		nodes[i] = &node{number: uint64(i)}
	}
	for _, n := range nodes {
		n.connect()
	}
	times := make([]int64, steps/batch+1)
	times[0] = cpuNs()
	for step := uint64(1); step <= steps; step++ {
		from := any()
		edge := below(4)
		to := any()
		from.edges[edge] = to
		sink = &pair{from, to}
		if step%every == 0 {
			n := &node{number: step}
			n.connect()
			nodes[below(uint32(objects))] = n
		}
		if step%batch == 0 {
			times[step/batch] = cpuNs()
		}
	}
	sum := uint32(0)
	for _, n := range nodes {
		for _, edge := range n.edges {
			sum = sum*31 + uint32(edge.number)
		}
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintf(out, "check=%d\n", sum)
	for i := 1; i < len(times); i++ {
		fmt.Fprintln(out, times[i]-times[i-1])
	}
}
