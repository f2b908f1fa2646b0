package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programs builds the daemon and ecpctl for each architecture, as DIR/ARCH/ecpd and DIR/ARCH/ecpctl.
func (r release) programs(ctx context.Context, built string) error {
	for _, arch := range r.daemons() {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags="+r.flags(), "-o", filepath.Join(built, arch)+"/", "./cmd/ecpd",
			"./cmd/ecpctl")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=-mod=readonly", "GOWORK=off")
		if err := r.call(cmd); err != nil {
			return fmt.Errorf("build for %s: %w", arch, err)
		}
	}
	return nil
}

// flags are those of the linker: which build it is, and nothing that differs from one to the next.
func (r release) flags() string {
	return "-s -w -buildid= -X main.version=" + r.version + " -X main.commit=" + r.commit
}

// agents builds the agent as hosts download it into DIR/agents.
func (r release) agents(ctx context.Context, built string) error {
	dir := filepath.Join(built, "agents")
	if err := r.call(exec.CommandContext(ctx, "tools/agents.sh", append([]string{dir}, r.arches...)...)); err != nil {
		return fmt.Errorf("build the agents: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "emqxee-agent-*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyFile(name, filepath.Join(r.out, filepath.Base(name)), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// call runs a program in the checkout; what it says goes to stderr.
func (r release) call(cmd *exec.Cmd) error {
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.root, os.Stderr, os.Stderr
	return cmd.Run()
}

func copyFile(from, to string, mode os.FileMode) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, mode)
}
