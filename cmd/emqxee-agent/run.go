package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

func (p *program) runCommand() *cobra.Command {
	var readyFD int
	level := new(slog.LevelVar)
	cmd := &cobra.Command{
		Use: "run", Short: "run the agent in the foreground, as systemd and containers do", Args: noArguments,
		Long: `Runs the agent until SIGTERM. Its log goes to stderr. It is what systemd, the
supervisor of start, and a container of the agent's own call.

An agent that is not registered waits until it is.

` + exitHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.enter()
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
			return runAgent(cmd.Context(), dir, log, readyFD)
		},
	}
	cmd.Flags().TextVar(level, "log-level", level, "debug, info, warn or error")
	cmd.Flags().IntVar(&readyFD, "ready-fd", 0, "write a line to this file descriptor when the agent answers")
	_ = cmd.Flags().MarkHidden("ready-fd") // it is defined above
	return cmd
}

// runAgent runs the agent until ctx ends, and tells whoever waits when it answers.
func runAgent(ctx context.Context, dir home.Dir, log *slog.Logger, readyFD int) error {
	b := thisBuild()
	a, err := agent.New(agent.Config{Home: string(dir), Logger: log, Version: b.Version, BuildTime: b.Built})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var telling sync.WaitGroup
	if readyFD > 2 {
		telling.Go(func() { tellReady(ctx, dir, os.NewFile(uintptr(readyFD), "ready")) })
	}
	err = a.Run(ctx)
	stop()
	telling.Wait()
	return err
}

// tellReady writes readyLine when the agent of the home answers on its socket.
func tellReady(ctx context.Context, dir home.Dir, to *os.File) {
	defer to.Close()
	for !answers(ctx, dir) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	fmt.Fprintln(to, readyLine)
}
