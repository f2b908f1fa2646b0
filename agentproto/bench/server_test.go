package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

// job is what the server's process reads: one candidate on one link.
type job struct {
	Candidate string
	Link      linkSpec
	Idle      int           // measure the memory of so many idle agents instead of traffic
	For       time.Duration // how long each figure is taken
	Warm      time.Duration // how long traffic goes before: windows open, TCP and TLS leave their slow start
}

// result is what it answers. Figures that were not taken are zero.
type result struct {
	Candidate, Link string
	One, Eight      float64 // MiB/s of one stream, and of eight
	CPU             float64 // the server's CPU seconds per GiB, while eight streams ran
	Alone, Busy     latency // small requests alone, and beside one bulk stream
	BusyBulk        float64 // MiB/s of that stream meanwhile
	RSS, Heap       float64 // KiB of the server per idle agent
	Goroutines      float64 // per idle agent
}

type latency struct {
	P50, P99 time.Duration
	Count    int
}

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// runServer is the main function of the server's process.
func runServer(ctx context.Context, in io.Reader, out io.Writer) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return err
	}
	s, err := startServer(ctx, j)
	if err != nil {
		return fmt.Errorf("%s: %w", j.Candidate, err)
	}
	defer s.close()
	r := result{Candidate: j.Candidate, Link: j.Link.Name}
	if j.Idle > 0 {
		err = s.measureIdle(ctx, j, &r)
	} else {
		err = s.measureTraffic(ctx, j, &r)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", j.Candidate, err)
	}
	return json.NewEncoder(out).Encode(r)
}

// running is a server of one candidate with its agents' process.
type running struct {
	carrier carrierServer
	env     *serverEnv
	closers []func()
	base    memory // before the agents came
}

func (s *running) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

func startServer(ctx context.Context, j job) (*running, error) {
	c, err := findCandidate(j.Candidate)
	if err != nil {
		return nil, err
	}
	pair, err := newCertificate()
	if err != nil {
		return nil, err
	}
	config, err := pair.server()
	if err != nil {
		return nil, err
	}
	trust, err := pair.client()
	if err != nil {
		return nil, err
	}
	s := &running{env: &serverEnv{agentTLS: trust}}
	if s.carrier, err = c.server(s.env); err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.NewServeMux(), TLSConfig: config, ErrorLog: silent()}
	s.carrier.configure(server)
	var group sync.WaitGroup
	address, stop, err := listenHTTP(ctx, server, &group)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, stop)
	agents := &agentsProcess{}
	ready, err := agents.start(ctx, agentsJob{Candidate: j.Candidate, Count: max(1, j.Idle), Pair: pair})
	if err != nil {
		s.close()
		return nil, err
	}
	s.closers = append(s.closers, agents.stop)
	s.env.origin, s.env.direct = ready.Origin, ready.Direct
	if !j.Link.plain() {
		target := address
		if c.agent == nil {
			target = ready.Direct
		}
		l, err := newLink(ctx, j.Link, target)
		if err != nil {
			s.close()
			return nil, err
		}
		s.closers = append(s.closers, func() { _ = l.Close() })
		address, s.env.direct = l.Addr(), l.Addr()
	}
	s.base = readMemory()
	if err := agents.order(agentsOrder{Server: address}); err != nil {
		s.close()
		return nil, err
	}
	if err := s.waitConnected(ctx, j); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *running) waitConnected(ctx context.Context, j job) error {
	want := max(1, j.Idle)
	if direct, ok := s.carrier.(*directServer); ok {
		base := direct.base()
		for i := range want {
			if err := direct.open(ctx, agentID(i), base); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for s.carrier.connected() < want {
		if !sleepUntil(ctx, time.Now().Add(10*time.Millisecond)) {
			return fmt.Errorf("wait for agents: %d of %d are connected", s.carrier.connected(), want)
		}
	}
	return nil
}

// agentsProcess is the second process: agents, and the service beside them.
type agentsProcess struct {
	command *exec.Cmd
	in      io.WriteCloser
	lines   *json.Encoder
}

func (a *agentsProcess) start(ctx context.Context, j agentsJob) (agentsReady, error) {
	var ready agentsReady
	command, err := self(ctx, roleAgents)
	if err != nil {
		return ready, err
	}
	in, err := command.StdinPipe()
	if err != nil {
		return ready, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return ready, err
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return ready, err
	}
	a.command, a.in, a.lines = command, in, json.NewEncoder(in)
	if err := a.lines.Encode(j); err != nil {
		return ready, errors.Join(err, command.Wait())
	}
	err = json.NewDecoder(out).Decode(&ready)
	return ready, err
}

func (a *agentsProcess) order(o agentsOrder) error { return a.lines.Encode(o) }

func (a *agentsProcess) stop() {
	a.in.Close()
	_ = a.command.Process.Kill() // what it holds is measured no more
	_ = a.command.Wait()
}
