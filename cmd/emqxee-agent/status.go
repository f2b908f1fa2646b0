package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

func (p *program) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "say how the agent stands, and what is to be done", Args: noArguments,
		Long: `Asks the agent that runs how it stands: its server and how it is connected, EMQX
and the credentials, the last report, and what a person should do. It asks nobody
else; emqxee-agent doctor tries the way itself.

` + exitHelp,
		Example: "  emqxee-agent status\n  emqxee-agent status --json | jq .todo",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.findHome()
			if err == nil {
				err = p.dropRights(dir)
			}
			if err != nil {
				return err
			}
			s, err := readStatus(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if p.homeFlag != "" {
				s.Notes = append(s.Notes,
					"this agent has a directory of its own: commands for it take --home "+string(dir)+
						", or EMQXEE_AGENT_HOME")
			}
			if asJSON {
				err = p.printJSON(s)
			} else {
				err = printStatus(p.stdout, s, time.Now())
			}
			if code := statusCode(s); err == nil && code != exitDone {
				return silent(code)
			}
			return err
		},
	}
	defineSwitch(cmd.Flags(), &asJSON, "json", "print JSON")
	return cmd
}

// readStatus reads the status once more where the agent has gone away while it
// answered.
func readStatus(ctx context.Context, dir home.Dir) (agent.Status, error) {
	s, err := agent.ReadStatus(ctx, string(dir))
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
		s, err = agent.ReadStatus(ctx, string(dir))
	}
	return s, err
}

// statusCode is the exit code that goes with a status.
func statusCode(s agent.Status) int {
	switch {
	case s.Phase == agent.PhaseStopped || s.Phase == agent.PhaseUnregistered:
		return exitNotRunning
	case s.Phase != agent.PhaseConnected, len(s.Todo) > 0, len(s.Problems) > 0, len(s.Report.Errors) > 0:
		return exitFailed
	}
	return exitDone
}

// phaseWords say what a phase is, for people.
var phaseWords = map[agent.Phase]string{
	agent.PhaseStopped:      "does not run",
	agent.PhaseUnregistered: "runs, and waits to be registered",
	agent.PhaseConnecting:   "runs, and is connecting to its server",
	agent.PhaseConnected:    "runs, and is connected to its server",
	agent.PhaseWaiting:      "runs, has no connection, and tries again by itself",
	agent.PhaseRefused:      "runs, but the server refuses it",
}

// printStatus prints a status in words. Lines of what is not known are left out.
func printStatus(w io.Writer, s agent.Status, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range statusLines(s, now) {
		if line.text != "" {
			fmt.Fprintf(t, "%s\t%s\n", line.name, line.text)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"Wrong:", problems(s)}, {"To know:", s.Notes}, {"To do:", s.Todo}} {
		if len(part.lines) > 0 {
			fmt.Fprintf(w, "%s\n", part.title)
		}
		for _, line := range part.lines {
			fmt.Fprintf(w, "  - %s\n", line)
		}
	}
	return nil
}

type statusLine struct{ name, text string }

func statusLines(s agent.Status, now time.Time) []statusLine {
	lines := []statusLine{{"Agent", agentWords(s, now)}, {"Directory", s.Home}}
	if s.Server.URL != "" {
		lines = append(lines,
			statusLine{"Server", s.Server.URL},
			statusLine{"Registered as", strings.Join(nonEmpty(s.Server.Agent, prefixed("for ", s.Server.Cluster)),
				" ")},
			statusLine{"Carrier", strings.Join(nonEmpty(string(s.Server.Carrier),
				prefixed("because ", s.Server.CarrierWhy)),
				", ")},
			statusLine{"Certificate", tlsWords(s.Server.TLS)},
			statusLine{"Clock", skewWords(s.Server)},
		)
	}
	if s.Phase == agent.PhaseStopped && s.Broker.DashboardURL == "" {
		return lines
	}
	return append(lines,
		statusLine{"EMQX", strings.Join(nonEmpty(s.Broker.Version, s.Broker.Edition, prefixed("node ", s.Broker.Node),
			prefixed("at ", cmp.Or(s.Broker.APIURL, s.Broker.DashboardURL))), ", ")},
		statusLine{"Credentials", credentialWords(s.Broker, now)},
		statusLine{"Dashboard", dashboardWords(s)},
		statusLine{"Logs", logWords(s.Logs)},
		statusLine{"Buffer", bufferWords(s.Buffer)},
		statusLine{"Last report", reportWords(s.Report, now)},
	)
}

func agentWords(s agent.Status, now time.Time) string {
	words := cmp.Or(phaseWords[s.Phase], string(s.Phase))
	if s.PID != 0 {
		words += fmt.Sprintf(" (process %d, version %s, for %s)", s.PID, s.Version, ago(now.Sub(s.Started)))
	}
	return words
}

func tlsWords(t agent.TLSStatus) string {
	if t.NotAfter.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s, from %s, until %s", t.Subject, t.Issuer, t.NotAfter.UTC().Format(time.DateOnly))
}

// noticeableSkew is from where on a clock is told to be off.
const noticeableSkew = 5 * time.Second

func skewWords(s agent.ServerStatus) string {
	skew := time.Duration(s.ClockSkewMS) * time.Millisecond
	switch {
	case s.Carrier == "":
		return ""
	case skew.Abs() < noticeableSkew:
		return "agrees with the server's"
	case skew > 0:
		return ago(skew) + " ahead of the server's"
	}
	return ago(-skew) + " behind the server's"
}

func credentialWords(b agent.BrokerStatus, now time.Time) string {
	words := b.Credentials
	if !b.RefusedSince.IsZero() {
		words += ", refused by EMQX for " + ago(now.Sub(b.RefusedSince))
	}
	if !b.NextTry.IsZero() && b.NextTry.After(now) {
		words += ", tried again in " + ago(b.NextTry.Sub(now))
	}
	if b.ReadOnly {
		words += "; read-only"
	}
	return words
}

func dashboardWords(s agent.Status) string {
	switch {
	case s.Report.At.IsZero():
		return ""
	case s.Broker.Dashboard:
		return "answers"
	}
	return "does not answer"
}

func logWords(l agent.LogsStatus) string {
	switch {
	case l.Error != "":
		return l.Error
	case !l.Collect:
		return "not collected"
	}
	return "collected from " + l.Dir
}

// bufferWords say what is kept for a server that is away.
func bufferWords(b agent.BufferStatus) string {
	switch {
	case b.Age == "": // of an older agent, or of none
		return ""
	case b.Error != "":
		return b.Error
	case b.Size == 0 || b.Age == "0s":
		return "off"
	}
	return fmt.Sprintf("%d KiB, of at most %d MiB and %s", (b.Used+1023)>>10, b.Size>>20,
		strings.TrimSuffix(strings.TrimSuffix(b.Age, "0s"), "0m"))
}

func reportWords(r agent.ReportStatus, now time.Time) string {
	if r.At.IsZero() {
		return "none yet"
	}
	words := ago(now.Sub(r.At)) + " ago"
	if !r.Complete {
		words += ", not complete"
	}
	if n := len(r.Members); n > 0 {
		words += fmt.Sprintf(", %d %s of the EMQX cluster", n, plural(n, "node", "nodes"))
	}
	return words
}

// problems are the sentences about what is wrong, but for those that stand among
// what is to be done.
func problems(s agent.Status) (lines []string) {
	todo := strings.Join(s.Todo, "\n")
	add := func(about, says string) {
		if says != "" && !strings.Contains(todo, says) {
			lines = append(lines, about+says)
		}
	}
	for _, problem := range s.Problems {
		add("", problem)
	}
	add("server: ", s.Server.Error)
	for _, e := range s.Report.Errors {
		add(string(e.Stage)+": ", e.Message)
	}
	return lines
}

// ago prints a length of time in its largest unit, or two of them.
func ago(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return d.String()
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return strconv.Itoa(int(d.Hours())/24) + " days"
}

func nonEmpty(texts ...string) (kept []string) {
	for _, t := range texts {
		if t != "" {
			kept = append(kept, t)
		}
	}
	return kept
}

func prefixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}
