package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

func (a *api) logRoutes() {
	a.stream(route{
		method: http.MethodGet, path: clusterPath + "/logs", id: "readLogs",
		summary: "Read the logs of a cluster's nodes, or follow them", description: logsText,
		parameters: logParameters(),
		unbounded:  true, // see readLogs
		success: []answer{{status: http.StatusOK, content: map[string]schema{
			"application/json": schemaOf[logsView], eventStream: schemaOf[logView], "text/plain": anyText,
		}}},
		refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeUnsupported, ecp.CodeThrottled},
	}, a.readLogs)
}

const logsText = "" +
	"The newest lines of all nodes by time, oldest first: of a hosted cluster from its pods, of an adopted one " +
	"through its agents,\n" +
	"which read EMQX's log files on its hosts where that is enabled (the feature logs says so). A node whose log " +
	"cannot be read, wholly or in part, stands in\n" +
	"gaps with the reason; the others are shown all the same.\n\n" +
	"With format=text the answer is the lines as EMQX wrote them, and a gap is a line that begins with #.\n\n" +
	"With follow=true the answer is a stream of server-sent events, which goes on with what is written from now on, " +
	"also over\n" +
	"nodes that are replaced: events named line with a Log as data, and gap with a LogGap. An event named problem, " +
	"with a\n" +
	"Problem as its data, ends it: the process ends, the cluster is gone, or the token or a right is. Between " +
	"events there is\n" +
	"a comment every 15 seconds. To go on after a stream has broken, give since: the time of the last line that was " +
	"seen."

// logsView is the answer where logs are not followed.
type logsView struct {
	Items []logView    `json:"items" doc:"oldest first"`
	Gaps  []logGapView `json:"gaps" doc:"what is missing, and why; mostly empty"`
}

// logView is one entry of a log.
type logView struct {
	At      time.Time         `json:"at" doc:"when it was written, where the line says so with its zone; else when Kubernetes took it up, or in the zone of the agent's host"`
	Node    string            `json:"node" doc:"EMQX node name"`
	Level   ecp.LogLevel      `json:"level" doc:"debug, info, notice, warning, error, critical, alert, emergency; empty for what is printed at a start"`
	Message string            `json:"message" doc:"without what the other fields tell"`
	Fields  map[string]string `json:"fields" doc:"a reading of the line, e.g. clientid, peername, mfa. EMQX' text form quotes nothing: what a client named itself may look like a field"`
	Raw     string            `json:"raw" doc:"as EMQX wrote it; may have several lines"`
	Cut     bool              `json:"cut" doc:"it was longer than 64 KiB"`
}

// logGapView marks missing lines.
type logGapView struct {
	At   time.Time `json:"at"`
	Node string    `json:"node" doc:"EMQX node name"`
	Why  string    `json:"why" doc:"why its lines are missing"`
}

func viewLog(l ecp.LogLine) logView {
	fields := l.Fields
	if fields == nil {
		fields = map[string]string{}
	}
	return logView{At: l.At, Node: l.Node, Level: l.Level, Message: l.Message, Fields: fields, Raw: l.Raw, Cut: l.Cut}
}

func viewGap(l ecp.LogLine) logGapView { return logGapView{l.At, l.Node, l.Gap} }

func logParameters() []*huma.Param {
	limit := &huma.Schema{Type: huma.TypeInteger, Minimum: number(1), Maximum: number(ecp.MaxLogLimit)}
	return []*huma.Param{
		query("level", "only lines that are as severe, or more", text(words(ecp.LogLevels()...)...)),
		query("q", "only lines with this text, whatever the case", text()),
		query("node", "only of the node of this EMQX name", text()),
		query("since", "only what is not older, RFC 3339", timestamp()),
		query("until", "only what is older, RFC 3339; not with follow", timestamp()),
		query("limit", "lines of history, the newest; 500 when left out", limit),
		boolean("follow", "go on with what is written"),
		query("format", "json when left out; text not with follow", text(logFormats...)),
	}
}

var logFormats = []string{"json", "text"}

// logQuery reads what of the logs is wanted.
func logQuery(r *http.Request) (q ecp.LogQuery, asText bool, wrong []fieldView) {
	query := r.URL.Query()
	q = ecp.LogQuery{Node: query.Get("node"), Level: ecp.LogLevel(query.Get("level")), Query: query.Get("q")}
	var badSince, badUntil []fieldView
	q.Since, badSince = readTime(r, "since")
	q.Until, badUntil = readTime(r, "until")
	wrong = slices.Concat(badSince, badUntil)
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if q.Limit = n; err != nil || n < 1 || n > ecp.MaxLogLimit {
			wrong = append(wrong,
				fieldView{"/query/limit", "is not a whole number from 1 to " + strconv.Itoa(ecp.MaxLogLimit)})
		}
	}
	follow, p := readBool(r, "follow")
	if q.Follow = follow; p != nil {
		wrong = append(wrong, p.Errors...)
	}
	wrong = append(wrong, checkWord("format", query.Get("format"), logFormats)...)
	if asText = query.Get("format") == "text"; asText && q.Follow {
		wrong = append(wrong, fieldView{"/query/format", "cannot be text together with follow; leave it out"})
	}
	return q, asText, wrong
}

// readLogs answers with history, which is bounded in time, or with a stream.
func (a *api) readLogs(w http.ResponseWriter, r *http.Request) {
	c, p := a.cluster(r)
	if p != nil {
		p.write(w)
		return
	}
	q, asText, wrong := logQuery(r)
	if len(wrong) > 0 {
		badParameter(wrong...).write(w)
		return
	}
	if q.Follow {
		leave, p := a.admitStream(r)
		if p != nil {
			p.write(w)
			return
		}
		defer leave()
	}
	ctx, cancel := a.untilDone(r.Context())
	defer cancel()
	if !q.Follow {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, requestTimeout)
		defer stop()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * requestTimeout)) // not every writer can
	}
	lines, err := a.manager.Logs.Read(ctx, c.ID(), q)
	switch {
	case err != nil:
		a.failed(r.Context(), ofQuery(err)).write(w)
	case q.Follow:
		a.followLogs(ctx, cancel, w, r, lines)
	default:
		a.answerLogs(ctx, w, lines, asText)
	}
}

func (a *api) answerLogs(ctx context.Context, w http.ResponseWriter, lines iter.Seq2[ecp.LogLine, error], asText bool) {
	answer := logsView{Items: []logView{}, Gaps: []logGapView{}}
	for l, err := range lines {
		switch {
		case err != nil:
			a.failed(ctx, err).write(w)
			return
		case l.Gap != "":
			answer.Gaps = append(answer.Gaps, viewGap(l))
		default:
			answer.Items = append(answer.Items, viewLog(l))
		}
	}
	if asText {
		answer.text(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) //nolint:errchkjson // strings only: if this fails, the client has gone
}

func (v logsView) text(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="emqx.log"`)
	for _, l := range v.Items {
		if _, err := fmt.Fprintln(w, l.Raw); err != nil {
			return
		}
	}
	for _, g := range v.Gaps {
		_, _ = fmt.Fprintf(w, "# %s: %s\n", g.Node, g.Why)
	}
}

// followLogs streams lines until the client goes or the sequence ends. The sequence may
// go on until ctx ends, so followLogs calls cancel.
func (a *api) followLogs(
	ctx context.Context, cancel func(), w http.ResponseWriter, r *http.Request, lines iter.Seq2[ecp.LogLine, error],
) {
	s := a.begin(w, r, "", "follow again, since the time of the last line you have seen")
	defer s.finish()
	if r.Method == http.MethodHead || s.err != nil {
		return
	}
	values, wait := produce(ctx, lines)
	defer wait()
	defer cancel()
	forward(ctx, a, s, r, values, func(l item[ecp.LogLine]) {
		switch {
		case l.err != nil:
			a.fail(ctx, s, l.err)
		case l.value.Gap != "":
			s.event("", "gap", viewGap(l.value))
		default:
			s.event("", "line", viewLog(l.value))
		}
	})
}
