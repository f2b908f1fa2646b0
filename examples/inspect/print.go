package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/openecp/openecp/ecp"
)

// print writes the report as tables.
func (r report) print(out io.Writer) error {
	p := &printer{w: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	p.head(r)
	p.table("NODE\tSTATUS\tROLE\tVERSION\tUPTIME\tCONNECTED\tSESSIONS\tMEMORY", rows(r.Nodes, nodeRow))
	p.table("LISTENER\tPROTOCOL\tBIND\tRUNNING\tCONNECTED\tLIMIT", rows(r.Listeners, listenerRow))
	p.table("ALARM\tSINCE\tNODES\tMESSAGE", rows(r.Alarms, alarmRow))
	p.table("RULE\tRUNNING\tTOPICS\tACTIONS", rows(r.Rules, ruleRow))
	p.table("LEADS OUTSIDE\tID\tENABLED\tSTATUS\tREASON", rows(r.Integrations, integrationRow))
	p.table("NOT THERE\tWHY", reasonRows(r.Missing))
	p.table("NOT ANSWERED\tWHY", reasonRows(r.Unanswered))
	if p.err != nil {
		return fmt.Errorf("print: %w", p.err)
	}
	return p.w.Flush()
}

// printer remembers the first thing that went wrong.
type printer struct {
	w   *tabwriter.Writer
	err error
}

// line writes one line of cells.
func (p *printer) line(cells ...string) {
	for i, c := range cells {
		cells[i] = oneLine(c)
	}
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.Join(cells, "\t"))
	}
}

// table writes nothing where there are no rows.
func (p *printer) table(head string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	p.line()
	p.line(strings.Split(head, "\t")...)
	for _, r := range rows {
		p.line(r...)
	}
}

func rows[T any](list []T, row func(T) []string) [][]string {
	var out [][]string
	for _, v := range list {
		out = append(out, row(v))
	}
	return out
}

// head writes what is said of the cluster as a whole.
func (p *printer) head(r report) {
	p.line("EMQX", strings.TrimSpace(cmp.Or(r.Version, strconv.Itoa(r.Major)+".x")+" "+r.Edition))
	if r.Unmanaged != "" {
		p.line("managed", "no: "+r.Unmanaged)
	}
	if h := r.Health; h != nil {
		p.line("asked", strings.TrimSpace(h.Node+" "+healthWords(*h)))
	}
	if t := r.Traffic; t != nil {
		p.line("clients", fmt.Sprintf("%d connected, %d sessions, %d subscriptions, %d topics, %d retained messages",
			t.Connections, t.Sessions, t.Subscriptions, t.Topics, t.Retained))
		p.line("messages", trafficWords(*t))
	}
	if l := r.License; l != nil {
		p.line("license", licenseWords(*l))
	}
	if l := r.Limit; l != nil {
		p.line("limit", limitWords(*l))
	}
	if r.Alarms != nil {
		p.line("alarms", strconv.Itoa(len(r.Alarms)))
	}
	if r.Rules != nil {
		p.line("rules", fmt.Sprintf("%d, %d of them running", len(r.Rules),
			number(r.Rules, func(rule ecp.Rule) bool { return rule.Running })))
	}
	if r.Integrations != nil {
		p.line("outside", outsideWords(r.Integrations))
	}
}

// outsideWords counts what leads outside by kind.
func outsideWords(all []ecp.Integration) string {
	var words []string
	for _, kind := range []ecp.IntegrationKind{ecp.ConnectorIntegration, ecp.ActionIntegration, ecp.SourceIntegration,
		ecp.ResourceIntegration} {
		n := number(all, func(i ecp.Integration) bool { return i.Kind == kind })
		connected := number(all, func(i ecp.Integration) bool {
			return i.Kind == kind &&
				i.Status == ecp.IntegrationConnected
		})
		if n > 0 {
			words = append(words, fmt.Sprintf("%d of kind %s, %d of them connected", n, kind, connected))
		}
	}
	return cmp.Or(strings.Join(words, "; "), "0")
}

// number is how many of a list are so.
func number[T any](list []T, so func(T) bool) int {
	n := 0
	for _, v := range list {
		if so(v) {
			n++
		}
	}
	return n
}

func healthWords(h ecp.Health) string {
	words := []string{"does not run"}
	switch {
	case h.Running:
		words[0] = "runs"
	case h.Available == ecp.Unknown: // nothing that is known answers there
		words[0] = "does not say whether it runs"
	}
	switch h.Available {
	case ecp.True:
		words = append(words, "and takes clients")
	case ecp.False:
		words = append(words, "and takes no clients")
	case ecp.Unknown:
	}
	if h.Why != "" {
		words = append(words, "("+h.Why+")")
	}
	return strings.Join(words, " ")
}

func trafficWords(t ecp.Traffic) string {
	words := fmt.Sprintf("%d received, %d sent, %d dropped since the nodes' start", t.Totals.Received, t.Totals.Sent,
		t.Totals.Dropped)
	if t.Rates != nil {
		words += fmt.Sprintf("; %.1f, %.1f, %.1f per second", t.Rates.Received, t.Rates.Sent, t.Rates.Dropped)
	}
	if t.RatesError != "" {
		words += " (per second: " + t.RatesError + ")"
	}
	return words
}

func licenseWords(l ecp.BrokerLicense) string {
	words := []string{strings.TrimSpace(l.Type + " of " + cmp.Or(l.Customer, "nobody named"))}
	if l.Limit > 0 {
		words = append(words, fmt.Sprintf("%d connections", l.Limit))
	}
	if !l.Until.IsZero() {
		words = append(words, "until "+l.Until.Format(time.DateOnly))
	}
	for word, holds := range map[string]bool{"EXPIRED": l.Expired, "the one EMQX comes with": l.BuiltIn,
		"one node only": l.SingleNode} {
		if holds {
			words = append(words, word)
		}
	}
	slices.Sort(words[1:])
	return strings.Join(words, ", ")
}

func limitWords(l ecp.ConnectionLimit) string {
	words := "not told"
	if l.InForce > 0 {
		words = strconv.Itoa(l.InForce)
	}
	if l.Sessions {
		words += ", sessions of clients that are away included"
	}
	if !l.Settable {
		return words + "; cannot be set: " + l.Why
	}
	return words + "; set to " + strconv.Itoa(l.Set)
}

func nodeRow(n nodeView) []string {
	status := string(n.Status)
	if n.Error != "" {
		status += " (" + n.Error + ")"
	}
	uptime, memory := "", ""
	if n.Uptime > 0 {
		uptime = n.Uptime.Round(time.Second).String()
	}
	if n.MemoryTotal > 0 {
		memory = fmt.Sprintf("%.2f of %.2f GiB", gib(n.MemoryUsed), gib(n.MemoryTotal))
	}
	return []string{n.Name, status, n.Role, n.Version, uptime, strconv.Itoa(n.Connections), strconv.Itoa(n.Sessions),
		memory}
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }

func listenerRow(l ecp.BrokerListener) []string {
	limit := "none"
	if l.Limit > 0 {
		limit = strconv.Itoa(l.Limit)
	}
	if without := l.Without(l.Limit); len(without) > 0 {
		limit += ", another or none on " + strings.Join(without, " ")
	}
	return []string{l.ID, string(l.Protocol), l.Bind, string(l.Running), strconv.Itoa(l.Connections), limit}
}

func alarmRow(a ecp.Alarm) []string {
	since := ""
	if !a.Since.IsZero() {
		since = a.Since.Format(time.RFC3339)
	}
	return []string{a.Name, since, strings.Join(a.Nodes, " "), a.Message}
}

func ruleRow(r ecp.Rule) []string {
	return []string{r.ID, strconv.FormatBool(r.Running), strings.Join(r.Topics, " "), strings.Join(r.Actions, " ")}
}

func integrationRow(i ecp.Integration) []string {
	return []string{string(i.Kind), i.ID, strconv.FormatBool(i.Enabled), string(i.Status), i.Reason}
}

func reasonRows(reasons map[string]string) [][]string {
	parts := slices.Sorted(maps.Keys(reasons))
	return rows(parts, func(part string) []string { return []string{part, reasons[part]} })
}

// oneLine keeps what a broker says, and clients say to it, from breaking the
// table and from telling the terminal what to do.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }),
		" ")
}
