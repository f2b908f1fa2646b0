package k8sprovisioner

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/stretchr/testify/require"
)

// auditEvent is a write that the API server has answered, as its audit log has it.
type auditEvent struct {
	AuditID   string
	Verb      string
	UserAgent string
	ObjectRef struct {
		Resource, Namespace, Name, Subresource string
	}
	RequestURI     string
	ResponseStatus struct {
		Code    int
		Message string
	}
	RequestReceivedTimestamp time.Time
	StageTimestamp           time.Time // when it was answered
	RequestObject            auditedObject
	ResponseObject           auditedObject

	writer // from the user agent
}

// auditedObject is what is of interest in a body.
type auditedObject struct {
	Metadata struct {
		ResourceVersion string
		Annotations     map[string]string
	}
}

// writer is the daemon that sent a request, with the shard and epoch of its ownership.
type writer struct {
	daemon       string
	shard, epoch int64
	late         bool // it was held up on its way
}

// userAgent puts it where the audit log shows it.
func (w writer) userAgent() string {
	return fmt.Sprintf("drill/%s/%d/%d/%v", w.daemon, w.shard, w.epoch, w.late)
}

func writerOf(userAgent string) (w writer, ok bool) {
	parts := strings.Split(userAgent, "/")
	if len(parts) != 5 || parts[0] != "drill" {
		return w, false
	}
	w.daemon, w.late = parts[1], parts[4] == "true"
	w.shard, _ = strconv.ParseInt(parts[2], 10, 64)
	w.epoch, _ = strconv.ParseInt(parts[3], 10, 64)
	return w, true
}

func (e auditEvent) cluster() ecp.ID {
	if e.ObjectRef.Resource == "namespaces" {
		return ecp.ID(e.ObjectRef.Name)
	}
	return ecp.ID(e.ObjectRef.Namespace)
}

// taken reports whether the API server has carried it out.
func (e auditEvent) taken() bool { return e.ResponseStatus.Code < http.StatusBadRequest }

// revision is the point in the history of all objects at which a write was made, zero if
// its answer does not tell.
func (e auditEvent) revision() int64 {
	n, _ := strconv.ParseInt(e.ResponseObject.Metadata.ResourceVersion, 10, 64)
	return n
}

func (e auditEvent) String() string {
	return fmt.Sprintf("%s %s %d.%d late=%v %s %s/%s%s: %d %s, revision %d",
		e.RequestReceivedTimestamp.Format("15:04:05.000000"), e.daemon, e.shard, e.epoch, e.late, e.Verb,
		e.ObjectRef.Resource, e.ObjectRef.Name, e.ObjectRef.Subresource, e.ResponseStatus.Code,
		e.ResponseStatus.Message, e.revision())
}

// auditTrail returns the writes of a drill's daemons to clusters, in order of arrival.
func auditTrail(t testing.TB, lab *kubelab.Lab, ids []ecp.ID) map[ecp.ID][]auditEvent {
	t.Helper()
	log, err := os.ReadFile(lab.AuditLog)
	require.NoError(t, err)
	out := map[ecp.ID][]auditEvent{}
	for line := range strings.Lines(string(log)) {
		if !strings.HasSuffix(line, "\n") || !strings.Contains(line, `"userAgent":"drill/`) {
			continue
		}
		var e auditEvent
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		var ok bool
		if e.writer, ok = writerOf(e.UserAgent); !ok || strings.Contains(e.RequestURI, "dryRun=") {
			continue
		}
		if id := e.cluster(); slices.Contains(ids, id) {
			out[id] = append(out[id], e)
		}
	}
	for _, events := range out {
		slices.SortStableFunc(events, func(a, b auditEvent) int {
			return a.RequestReceivedTimestamp.Compare(b.RequestReceivedTimestamp)
		})
	}
	return out
}

// oneWriterAtATime checks what was written to one cluster: whoever owned it wrote before
// the next owner did, by the API server's clock and by its history, and what came later
// was refused.
func oneWriterAtATime(t testing.TB, id ecp.ID, events []auditEvent) {
	t.Helper()
	story := func() (out string) {
		for _, e := range events {
			out += "\n" + e.String()
		}
		return out
	}
	owners := map[int64]string{} // by epoch
	var ended time.Time          // of the last write in an earlier epoch
	var epoch int64
	var last time.Time
	for _, e := range events {
		require.NotZero(t, e.epoch, "%s was written to without ownership: %s", id, e)
		by, known := owners[e.epoch]
		require.True(t, !known || by == e.daemon, "%s: two in epoch %d: %s", id, e.epoch, story())
		owners[e.epoch] = e.daemon
		stamp := strings.Split(e.RequestObject.Metadata.Annotations[annotationEpoch], "/")
		if len(stamp) == 3 {
			require.Equal(t, fmt.Sprintf("%d.%d", e.shard, e.epoch), stamp[1],
				"what it has written tells who did: %s", e)
		}
		if !e.taken() {
			continue
		}
		require.GreaterOrEqual(t, e.epoch, epoch, "%s: a former owner has written: %s%s", id, e, story())
		if e.epoch > epoch {
			epoch, ended = e.epoch, last
		}
		require.False(t, e.RequestReceivedTimestamp.Before(ended),
			"%s: two have written at one time: %s%s", id, e, story())
		if e.StageTimestamp.After(last) {
			last = e.StageTimestamp
		}
	}
	taken := slices.DeleteFunc(slices.Clone(events), func(e auditEvent) bool { return !e.taken() || e.revision() == 0 })
	slices.SortStableFunc(taken, func(a, b auditEvent) int { return cmp.Compare(a.revision(), b.revision()) })
	for i := 1; i < len(taken); i++ {
		require.GreaterOrEqual(t, taken[i].epoch, taken[i-1].epoch, "%s: out of order in the history: %s%s", id,
			taken[i], story())
	}
}
