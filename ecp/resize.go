package ecp

import "fmt"

// ResizeState is how far it is with other CPU and memory for a node that runs.
type ResizeState string

// The states of a resize. The zero value: there is none, or the node must be made anew for it.
const (
	ResizeDue     ResizeState = "due"     // it differs in nothing else; [Desired.Resize] asks for it
	ResizeWaiting ResizeState = "waiting" // it was asked for, and the platform has not done it yet
	ResizeRefused ResizeState = "refused" // the platform does not do it: the node must be made anew
)

// ResizeObstacle returns why a node of size s must be made anew to become one of another
// size; "" = its CPU and memory may be changed while it runs, as far as that can be known
// without asking the platform. Volumes are no part of it: they grow by themselves.
//
// The Erlang VM of EMQX counts its CPUs when it starts, by the limit and rounded down, and
// runs as many schedulers from then on: with a larger limit alone it would not use it.
func (s Size) ResizeObstacle(next Size) string {
	was, is := schedulers(s.CPU.Limit), schedulers(next.CPU.Limit)
	for _, row := range []struct {
		is  bool
		why string
	}{
		{was != is, fmt.Sprintf("EMQX counts its CPUs only when it starts, %s now and %s then", cpus(was), cpus(is))},
		{taken(s.CPU, next.CPU) || taken(s.Memory, next.Memory),
			"a request or a limit is taken away, which no pod that runs can be"},
		{s.qos() != next.qos(), "its class of service, which no pod that runs changes, becomes another, " +
			"since requests are equal to limits in one of the sizes only"},
	} {
		if row.is {
			return row.why
		}
	}
	return ""
}

// SameResources reports whether two sizes differ in CPU and memory in nothing but spelling.
func (s Size) SameResources(other Size) bool {
	return s.CPU.full().same(other.CPU.full()) && s.Memory.full().same(other.Memory.full())
}

// full returns r with the request that Kubernetes assumes where only a limit is given.
func (r Resource) full() Resource {
	if r.Request == "" {
		r.Request = r.Limit
	}
	return r
}

func (r Resource) same(other Resource) bool {
	return sameAmount(r.Request, other.Request) && sameAmount(r.Limit, other.Limit)
}

func sameAmount(a, b string) bool {
	x, ok := ParseQuantity(a)
	y, known := ParseQuantity(b)
	return a == b || ok && known && x == y
}

// taken reports whether next lacks a request or a limit that was has.
func taken(was, next Resource) bool {
	was, next = was.full(), next.full()
	return was.Request != "" && next.Request == "" || was.Limit != "" && next.Limit == ""
}

// schedulers is how many CPUs EMQX counts under a limit; 0 = those of the machine.
func schedulers(limit string) int {
	n, ok := ParseQuantity(limit)
	if !ok {
		return 0
	}
	return max(1, int(n))
}

func cpus(n int) string {
	if n == 0 {
		return "all of its machine"
	}
	return fmt.Sprint(n)
}

// qos is the class of service that Kubernetes puts a pod of the size in.
func (s Size) qos() string {
	cpu, memory := s.CPU.full(), s.Memory.full()
	switch {
	case cpu == Resource{} && memory == Resource{}:
		return "BestEffort"
	case cpu.Limit != "" && memory.Limit != "" && sameAmount(cpu.Request, cpu.Limit) &&
		sameAmount(memory.Request, memory.Limit):
		return "Guaranteed"
	}
	return "Burstable"
}
