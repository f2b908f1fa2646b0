package fleet_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// telling is a platform that has made secrets.
type telling struct {
	scripted
	err error
}

func (p *telling) Secrets(context.Context, ecp.ID) ([]ecp.Secret, error) {
	return []ecp.Secret{"Cookie1234567"}, p.err
}

// TestLogsShowNoSecrets: what EMQX prints of the cluster's own secrets is taken out
// of the history and of what is followed, wherever pieces of it end.
func TestLogsShowNoSecrets(t *testing.T) {
	inBubble(t, func(r *rig) {
		const head = "2026-01-01T00:00:01Z 2026-01-01T00:00:01Z [error] "
		log := head + "{cookie,\"Cookie1234567\"}\n" + head +
			"password => <<\"hush \\\"phrase\\\"\">>, key hush-in-json\n" + head + "mqtt 2MB\n"
		p := &telling{scripted: scripted{
			appliedTo: &r.applied,
			logs: func(ctx context.Context, _ string, o ecp.LogOptions) (io.ReadCloser, error) {
				readers := []io.Reader{}
				for i := range log {
					readers = append(readers, strings.NewReader(log[i:i+1]))
				}
				if o.Follow {
					readers = append(readers, hung{done: ctx.Done()})
				}
				return io.NopCloser(io.MultiReader(readers...)), nil
			},
		}}
		r.sealer = aRing(t, "a")
		r.make(r.store, p)
		r.run()
		info, op, err := r.m.Create(asSystem(),
			withSettings(map[string]string{"exhook.phrase": `hush "phrase"`, "x.y": `{"a":["hush-in-json"]}`, "mqtt.max_packet_size": "2MB"}))
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		check := func(lines []ecp.LogLine) {
			t.Helper()
			text := ""
			for _, l := range lines {
				text += l.Raw + l.Message + l.Gap
			}
			require.NotContains(t, text, "hush")
			require.NotContains(t, text, "Cookie1234567")
			require.Contains(t, text, `{cookie,"[redacted]"}`)
			require.Contains(t, text, `<<"[redacted]">>, key [redacted]`)
			require.Contains(t, text, "mqtt 2MB")
		}
		check(r.readLogs(info.ID, ecp.LogQuery{}))
		ctx, cancel := context.WithCancel(asSystem())
		defer cancel()
		seq, err := r.m.Logs.Read(ctx, info.ID, ecp.LogQuery{Follow: true})
		require.NoError(t, err)
		var followed []ecp.LogLine
		for l, err := range seq {
			require.NoError(t, err)
			if followed = append(followed, l); len(followed) == 6 {
				cancel()
			}
		}
		check(followed)

		p.err = errors.New("cannot read the Secret")
		for _, l := range r.readLogs(info.ID, ecp.LogQuery{}) {
			require.NotEmpty(t, l.Gap, "what cannot be masked is not shown")
		}
	})
}

func onImage(image string, req fleet.CreateRequest) fleet.CreateRequest {
	req.Spec.Hosted.Image = image
	return req
}

// TestLevelsThatPrintSecrets: EMQX 4.4 is not told to print its own secrets, or to
// put them into other settings.
func TestLevelsThatPrintSecrets(t *testing.T) {
	inBubble(t, func(r *rig) {
		for image, want := range map[string]ecp.Code{"emqx-ee-4.4.24": ecp.CodeInvalid, "emqx-ee-5.8.9": ""} {
			for key, value := range map[string]string{
				"log.level":                 "info",
				"log.primary_log_level":     "all",
				"mqtt.response_information": "x$(node.cookie)",
			} {
				req := withSettings(map[string]string{key: value})
				req.Name, req.Spec.Hosted.Image = "for "+image[8:9]+" "+strings.ReplaceAll(key, ".", "-"), image
				_, _, err := r.m.Create(asSystem(), req)
				require.Equal(t, want, ecp.CodeOf(err), "%s: %s", image, value)
				if err != nil {
					require.Equal(t, "spec.config["+key+"]", fieldsOf(t, err)[0].Field)
				}
			}
		}
		info, _, err := r.m.Create(asSystem(),
			onImage("emqx-ee-4.4.24", withSettings(map[string]string{"mqtt.response_information": "$(x"})))
		require.NoError(t, err)
		_, err = r.m.Cluster(info.ID).Do(asSystem(), ecp.Update{Patch: []byte(`{"config":{"mqtt.response_information":"$(node.cookie)"}}`)})
		require.Equal(t, "spec.config[mqtt.response_information]", fieldsOf(t, err)[0].Field)
	})
}
