package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
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
		Long: `Runs the agent until SIGTERM. SIGHUP makes it read its files again, which it also
does by itself when they change. Its log goes to stderr. It is what systemd, the
supervisor of start, and a container of the agent's own call.

An agent that is not registered waits until it is.

` + exitHelp,
		Example: "  emqxee-agent run --home ~/agent --log-level debug",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.enter()
			if err != nil {
				return err
			}
			config := runConfig(dir, slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level})))
			if !cmd.Flags().Changed("log-level") {
				config.Level = level // moved as etc/agent.yaml says, also while the agent runs
			}
			return runAgent(cmd.Context(), config, readyFD)
		},
	}
	cmd.Flags().Var(logLevel{level}, "log-level", "debug, info, warn or error; without it, what etc/agent.yaml says")
	cmd.Flags().IntVar(&readyFD, "ready-fd", 0, "write a line to this file descriptor when the agent answers")
	_ = cmd.Flags().MarkHidden("ready-fd") // it is defined above
	return cmd
}

// logLevel is the level of the log as a flag, with the names that etc/agent.yaml
// takes.
type logLevel struct{ *slog.LevelVar }

// Set takes a name of a level.
func (l logLevel) Set(text string) error {
	level, err := agent.ParseLevel(text)
	if err == nil {
		l.LevelVar.Set(level)
	}
	return err
}

// Type is what the help shows.
func (l logLevel) Type() string { return "level" }

// String returns the name of the level.
func (l logLevel) String() string {
	if l.LevelVar == nil {
		return ""
	}
	return strings.ToLower(l.Level().String())
}

func runConfig(dir home.Dir, log *slog.Logger) agent.Config {
	b := thisBuild()
	return agent.Config{Home: string(dir), Logger: log, Version: b.Version, BuildTime: b.Built}
}

// runAgent runs the agent until ctx ends, and tells whoever waits when it answers.
func runAgent(ctx context.Context, config agent.Config, readyFD int) error {
	a, err := agent.New(config)
	if err != nil {
		return err
	}
	dir := home.Dir(config.Home)
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
