package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

func aRing(t *testing.T, ids ...string) ecp.Sealer {
	t.Helper()
	var keys []ecp.Key
	for _, id := range ids {
		keys = append(keys, ecp.Key{ID: id, Secret: bytes.Repeat([]byte(id[:1]), 32)})
	}
	ring, err := ecp.NewKeyRing(keys...)
	require.NoError(t, err)
	return ring
}

// secretSettings are settings whose values are secrets under whatever name, and
// one that is harmless.
func secretSettings() map[string]string {
	return map[string]string{
		"authentication.1.password": "hush-password",
		"exhook.passphrase":         "hush-phrase",
		"bridges.mqtt.url":          "http://user:hush-url@host",
		"mqtt.max_packet_size":      "2MB",
		"mqtt.response_information": "amqps://user:hush-at@host",
		"listeners.ssl.default":     `{"password":"hush-whole"}`,
	}
}

func withSettings(config map[string]string) fleet.CreateRequest {
	return fleet.CreateRequest{
		Mode: ecp.Hosted,
		Name: "one",
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 2, Connections: 5, Config: config}},
	}
}

// stored is all that a store holds, as text.
func (r *rig) stored() string {
	r.t.Helper()
	var b strings.Builder
	require.NoError(r.t, r.store.Read(context.Background(), func(tx ecp.Tx) error {
		for _, kind := range []ecp.Kind{ecp.KindCluster, ecp.KindOperation, ecp.KindAudit, ecp.KindAnswered} {
			for rec, err := range tx.List(ecp.Query{Kind: kind}) {
				if err != nil {
					return err
				}
				text, err := json.Marshal(rec.Payload)
				if err != nil {
					return err
				}
				b.Write(text)
			}
		}
		return nil
	}))
	return b.String()
}

// TestSettingsAreSecrets: values of settings are in plain text only where the
// platform gets them.
func TestSettingsAreSecrets(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sealer = aRing(t, "a")
		r.make(r.store, &r.applied)
		r.run()
		ctx := ecp.WithIdempotencyKey(asSystem(), "key")
		info, op, err := r.m.Create(ctx, withSettings(secretSettings()))
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		r.ends(op, ecp.PhaseSucceeded)
		require.Equal(t, secretSettings(), r.appliedSettings())
		again, _, err := r.m.Create(ctx, withSettings(secretSettings()))
		require.NoError(t, err)
		require.Equal(t, info.ID, again.ID)

		shown := r.get(c).Spec.Redacted().Hosted.Config
		require.Equal(t, "2MB", shown["mqtt.max_packet_size"])
		for key := range secretSettings() {
			if key != "mqtt.max_packet_size" {
				require.Equal(t, "[redacted]", shown[key], key)
			}
		}

		// What was read can be applied again, and so can what is stored.
		for name, same := range map[string]map[string]string{"read": shown, "given": secretSettings()} {
			b, err := json.Marshal(map[string]any{"config": same})
			require.NoError(t, err)
			done, err := c.Do(asSystem(), ecp.Update{Patch: b})
			require.NoError(t, err)
			require.Zero(t, done, name)
		}

		// One is changed, the others stay; nodes are replaced for it.
		change := ecp.Update{Patch: json.RawMessage(`{"config":{"authentication.1.password":"hush-new","exhook.passphrase":"[redacted]","listeners.ssl.default":null}}`)}
		plan, err := c.Plan(asSystem(), change)
		require.NoError(t, err)
		require.Contains(t, strings.Join(plan.Notes, "; "), "2 nodes are replaced")
		op, err = c.Do(asSystem(), change)
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		want := secretSettings()
		want["authentication.1.password"] = "hush-new"
		delete(want, "listeners.ssl.default")
		require.Equal(t, want, r.appliedSettings())
		require.NotContains(t, r.stored(), "hush")
		require.Contains(t, r.stored(), `\"[redacted]\"`, "the audit tells that something was changed")

		_, err = c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"config":{"a.b":"sealed:x","c.d":"[redacted]"}}`)})
		require.Equal(t, ecp.CodeInvalid, ecp.CodeOf(err))
		require.Len(t, fieldsOf(t, err), 2)

		// A newer key: everything is sealed with it, and the old one can go.
		r.stop()
		r.sealer = aRing(t, "b", "a")
		r.make(r.store, &r.applied)
		n, err := r.m.ResealSecrets(asSystem())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NotContains(t, r.stored(), "sealed:ecp1.a.")
		require.Contains(t, r.stored(), "sealed:ecp1.b.")
	})
}

// TestSettingsWithoutKey: where nothing can be sealed, only harmless settings are
// taken.
func TestSettingsWithoutKey(t *testing.T) {
	inBubble(t, func(r *rig) {
		_, _, err := r.m.Create(asSystem(), withSettings(secretSettings()))
		require.Equal(t, ecp.CodeInvalid, ecp.CodeOf(err))
		fields := fieldsOf(t, err)
		require.Len(t, fields, 5)
		require.Equal(t, "spec.config[authentication.1.password]", fields[0].Field)
		require.Contains(t, fields[0].Message, "no key was configured")
		_, _, err = r.m.Create(asSystem(), withSettings(map[string]string{"mqtt.max_packet_size": "2MB"}))
		require.NoError(t, err)
	})
}

// TestOldSettingsAreSealed: what an earlier build has stored in plain text is sealed
// at the next start.
func TestOldSettingsAreSealed(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.sealer = aRing(t, "a")
		r.make(r.store, &r.applied)
		info, _, err := r.m.Create(asSystem(), withSettings(map[string]string{"mqtt.max_packet_size": "2MB"}))
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		require.NoError(t, r.store.Write(context.Background(), func(tx ecp.Tx) error {
			rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(info.ID))
			if err != nil {
				return err
			}
			rec = rec.Clone()
			rec.Spec.Hosted.Config["exhook.passphrase"] = "hush"
			rec.Status.Previous = &ecp.PreviousSpec{Spec: rec.Spec.Clone()}
			entry := change.AuditEntry{
				ID:      "0",
				Kind:    ecp.KindCluster,
				Changes: []change.AuditChange{{Path: "/spec/hosted/config/exhook.passphrase", After: `"hush"`}},
			}
			if err := ecp.Put(tx, entry, 0); err != nil {
				return err
			}
			return ecp.Put(tx, rec, ecp.AnyVersion)
		}))
		require.Equal(t, "[redacted]", r.get(c).Spec.Redacted().Hosted.Config["exhook.passphrase"])
		r.run()
		r.reaches(c, ecp.Running)
		require.NotContains(t, r.stored(), "hush")
		require.Equal(t, "hush", r.appliedSettings()["exhook.passphrase"])
	})
}

// fieldsOf returns what an error says of single fields.
func fieldsOf(t *testing.T, err error) []ecp.FieldError {
	t.Helper()
	var e *ecp.Error
	require.ErrorAs(t, err, &e)
	return e.Fields
}
