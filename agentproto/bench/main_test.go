package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const (
	roleVariable = "OPENECP_BENCH_ROLE"
	roleServer   = "server"
	roleAgents   = "agents"
)

// TestMain lets the program be server or agents: they are processes of their
// own, so that what each uses can be told apart.
func TestMain(m *testing.M) {
	roles := map[string]func(context.Context, io.Reader, io.Writer) error{roleServer: runServer, roleAgents: runAgents}
	run, ok := roles[os.Getenv(roleVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// self returns this program in another role.
func self(ctx context.Context, role string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, path)
	command.Env = append(os.Environ(), roleVariable+"="+role)
	return command, nil
}

// measure runs one job in a server process of its own.
func measure(ctx context.Context, j job) (result, error) {
	var r result
	command, err := self(ctx, roleServer)
	if err != nil {
		return r, err
	}
	line, err := json.Marshal(j)
	if err != nil {
		return r, err
	}
	var errs bytes.Buffer
	command.Stdin, command.Stderr = bytes.NewReader(line), &errs
	data, err := command.Output()
	if err != nil {
		return r, fmt.Errorf("%s on %s: %w: %s", j.Candidate, j.Link.Name, err, strings.TrimSpace(errs.String()))
	}
	return r, json.Unmarshal(data, &r)
}
