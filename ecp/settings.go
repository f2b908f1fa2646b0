package ecp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// EMQX settings of a spec may hold passwords, tokens and keys under names that
// nobody can list. So every value is a secret but those of harmless settings: it is
// sealed in the record, and opened only on its way to the platform.

// Bounds of a spec's settings, in bytes.
const (
	MaxSettings = 64 << 10 // keys and values together
	MaxSetting  = 16 << 10 // one value
)

// sealedPrefix marks a value of a setting that is sealed. No value that is given
// may begin with it.
const sealedPrefix = "sealed:"

// harmlessSettings are the settings whose values are shown and stored as they are.
// "*" is any one word of a key, "**" one or more at its end.
var harmlessSettings = []string{
	// EMQX 5
	"mqtt.**", "zones.*.mqtt.**", "zones.*.force_shutdown.**", "zones.*.force_gc.**", "zones.*.flapping_detect.**",
	"retainer.**", "delayed.**", "flapping_detect.**", "force_gc.**", "force_shutdown.**", "durable_sessions.**", "durable_storage.**",
	"sysmon.**", "alarm.**", "stats.**", "sys_topics.**", "limiter.**", "overload_protection.**", "log.**", "telemetry.enable",
	"authorization.no_match", "authorization.deny_action", "authorization.cache.**",
	"listeners.*.*.acceptors", "listeners.*.*.enable", "listeners.*.*.enable_authn", "listeners.*.*.max_connections", "listeners.*.*.max_conn_rate",
	"listeners.*.*.messages_rate", "listeners.*.*.bytes_rate", "listeners.*.*.mountpoint", "listeners.*.*.proxy_protocol",
	"listeners.*.*.proxy_protocol_timeout", "listeners.*.*.tcp_options.**", "listeners.*.*.websocket.**", "listeners.*.*.zone",
	"listeners.*.*.ssl_options.verify", "listeners.*.*.ssl_options.fail_if_no_peer_cert", "listeners.*.*.ssl_options.versions",
	// EMQX 4.4
	"broker.**", "zone.**", "allow_anonymous", "acl_nomatch", "acl_deny_action", "acl_cache_max_size", "acl_cache_ttl", "enable_acl_cache",
	"flapping_detect_policy", "retained.**", "vm_mon.**", "os_mon.**",
	"listener.*.*.acceptors", "listener.*.*.max_connections", "listener.*.*.max_conn_rate", "listener.*.*.active_n", "listener.*.*.zone",
	"listener.*.*.proxy_protocol", "listener.*.*.proxy_protocol_timeout", "listener.*.*.backlog", "listener.*.*.mqtt_path",
}

// harmless reports whether the value of a setting may be stored and shown as it
// is. A name that speaks of secrets and a value that may be an address with
// credentials never are.
func harmless(key, value string) bool {
	return !namesSecret(key) && !strings.Contains(value, "@") && !isSealed(value) && slices.ContainsFunc(harmlessSettings, func(row string) bool {
		return matchesSetting(strings.Split(row, "."), strings.Split(key, "."))
	})
}

func matchesSetting(row, key []string) bool {
	for i, word := range row {
		switch {
		case word == "**":
			return len(key) > i
		case i >= len(key) || word != "*" && word != key[i]:
			return false
		}
	}
	return len(row) == len(key)
}

func isSealed(value string) bool { return strings.HasPrefix(value, sealedPrefix) }

// Redacted returns a spec as it can be shown to who may read the cluster: values of
// EMQX settings that may be secrets are "[redacted]". Update takes that for the
// value that is stored, so that what was read can be applied again; Create does
// not.
func (s Spec) Redacted() Spec {
	s = s.Clone()
	if s.Hosted == nil {
		return s
	}
	for key, value := range s.Hosted.Config {
		if !harmless(key, value) {
			s.Hosted.Config[key] = redacted
		}
	}
	return s
}

// settingBinding is what a sealed setting belongs to: it opens nowhere else.
func settingBinding(id ID, key string) string {
	return string(KindCluster) + "/" + string(id) + "/" + key
}

// openSetting returns the value of a setting of a cluster.
func (m *Manager) openSetting(id ID, key, value string) (string, error) {
	sealed, is := strings.CutPrefix(value, sealedPrefix)
	if !is {
		return value, nil
	}
	if m.sealer == nil {
		return "", fail(CodeUnavailable, "open setting", fmt.Sprintf("the setting %s is encrypted, and no key is configured", key))
	}
	b, err := m.sealer.Open(sealed, settingBinding(id, key))
	if err != nil {
		return "", &Error{Code: CodeOf(err), Op: "open setting", Message: fmt.Sprintf("the setting %s cannot be read: %s", key, MessageOf(err)), Cause: err}
	}
	return string(b), nil
}

// openSettings returns the settings of a cluster as EMQX gets them.
func (m *Manager) openSettings(id ID, config map[string]string) (map[string]string, error) {
	if config == nil {
		return nil, nil //nolint:nilnil // no settings are no settings
	}
	out := make(map[string]string, len(config))
	for key, value := range config {
		var err error
		if out[key], err = m.openSetting(id, key, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sealSettings seals the values of a spec that may be secrets, and keeps the form
// in which old has them where they are the same.
func (m *Manager) sealSettings(wrong *problems, id ID, s *HostedSpec, old map[string]string) error {
	for _, key := range sortedKeys(s.Config) {
		value := s.Config[key]
		if isSealed(value) || harmless(key, value) {
			continue
		}
		if m.sealer == nil {
			wrong.add("spec.config["+key+"]", "may be a secret, and no key was configured to encrypt secrets with: configure one, or leave the setting out")
			continue
		}
		if was, ok := old[key]; ok && isSealed(was) {
			if plain, err := m.openSetting(id, key, was); err == nil && plain == value {
				s.Config[key] = was
				continue
			}
		}
		sealed, err := m.sealer.Seal([]byte(value), settingBinding(id, key))
		if err != nil {
			return err
		}
		s.Config[key] = sealedPrefix + sealed
	}
	return nil
}

// keepSettings puts the stored value where a new spec says "[redacted]".
func keepSettings(wrong *problems, config, old map[string]string) {
	for _, key := range sortedKeys(config) {
		was, had := old[key]
		switch value := config[key]; {
		case value == redacted && had:
			config[key] = was
		case isSealed(value) && value != was:
			wrong.add("spec.config["+key+"]", "must not begin with %q", sealedPrefix)
			config[key] = ""
		}
	}
}

// sealRecord seals what a record has in plain text or under an older key, also in
// what was wanted before. It reports whether it changed anything; failing leaves
// the record as it was.
func (m *Manager) sealRecord(rec *ClusterRecord) (bool, error) {
	changed := false
	all := []map[string]string{rec.Status.FormerSettings}
	for _, s := range []*Spec{&rec.Spec, specBefore(&rec.Status)} {
		if s != nil && s.Hosted != nil {
			all = append(all, s.Hosted.Config)
		}
	}
	for _, settings := range all {
		for _, key := range sortedKeys(settings) {
			value := settings[key]
			if harmless(key, value) || isSealed(value) && m.sealer != nil && m.sealer.Current(strings.TrimPrefix(value, sealedPrefix)) {
				continue
			}
			plain, err := m.openSetting(rec.ID, key, value)
			if err == nil && m.sealer == nil {
				err = fail(CodeUnsupported, "", "no key was configured to encrypt secrets with")
			}
			if err != nil {
				return false, err
			}
			sealed, err := m.sealer.Seal([]byte(plain), settingBinding(rec.ID, key))
			if err != nil {
				return false, err
			}
			settings[key] = sealedPrefix + sealed
			changed = true
		}
	}
	return changed, nil
}

// specBefore is what was wanted before the running operation; nil = there is no way
// back.
func specBefore(st *Status) *Spec {
	if st.Before == nil {
		return nil
	}
	return &st.Before.Spec
}

// sealRecords seals the settings of all clusters that are not sealed with the
// newest key. It reports how many records it wrote.
func (m *Manager) sealRecords(tx Tx) (int, error) {
	var due []ClusterRecord
	for rec, err := range List[ClusterRecord](tx, Query{}) {
		if err != nil {
			return 0, err
		}
		rec = rec.Clone()
		changed, err := m.sealRecord(&rec)
		if err != nil {
			return 0, fmt.Errorf("cluster %s: %w", rec.ID, err)
		}
		if changed {
			due = append(due, rec)
		}
	}
	for _, rec := range due {
		if err := Put(tx, rec, AnyVersion); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

// sealStored seals what an earlier build has stored in plain text. Where that
// cannot be done the cluster runs on, and the log says so.
func (m *Manager) sealStored(ctx context.Context) {
	n := 0
	err := m.store.Read(ctx, func(tx Tx) error {
		n = 0
		for rec, err := range List[ClusterRecord](tx, Query{}) {
			if err != nil {
				return err
			}
			if plainSettings(rec) {
				n++
			}
		}
		return nil
	})
	if n == 0 && err == nil {
		return
	}
	if err == nil {
		err = m.store.Write(ctx, func(tx Tx) error {
			_, err := m.sealRecords(tx)
			return errors.Join(err, m.sealAnswers(tx), veilAudit(tx))
		})
	}
	if err != nil && ctx.Err() == nil {
		m.log.WarnContext(ctx, "settings of clusters that may be secrets are stored in plain text", "clusters", n, "error", err)
	}
}

// sealAnswers seals what is kept to answer repeated calls with.
func (m *Manager) sealAnswers(tx Tx) error {
	var due []answered
	for a, err := range List[answered](tx, Query{}) {
		if err != nil {
			return err
		}
		var made created
		if json.Unmarshal([]byte(a.Result), &made) != nil || made.Cluster.ID == "" {
			continue
		}
		if changed, err := m.sealRecord(&made.Cluster); err != nil {
			return err
		} else if !changed {
			continue
		}
		b, err := json.Marshal(made)
		if err != nil {
			return err
		}
		a.Result = string(b)
		due = append(due, a)
	}
	for _, a := range due {
		if err := Put(tx, a, AnyVersion); err != nil {
			return err
		}
	}
	return nil
}

// veilAudit takes values of settings out of the audit that an earlier build has
// written there.
func veilAudit(tx Tx) error {
	var due []AuditEntry
	for e, err := range List[AuditEntry](tx, Query{}) {
		if err != nil {
			return err
		}
		veiled := false
		e.Changes = slices.Clone(e.Changes)
		for i, c := range e.Changes {
			before, after := veil(c.Path, c.Before), veil(c.Path, c.After)
			veiled = veiled || before != c.Before || after != c.After
			e.Changes[i].Before, e.Changes[i].After = before, after
		}
		if veiled {
			due = append(due, e)
		}
	}
	for _, e := range due {
		if err := Put(tx, e, AnyVersion); err != nil {
			return err
		}
	}
	return nil
}

// plainSettings reports whether a record has values in plain text that may be
// secrets.
func plainSettings(rec ClusterRecord) bool {
	plain := func(s Spec) bool {
		if s.Hosted == nil {
			return false
		}
		for key, value := range s.Hosted.Config {
			if !isSealed(value) && !harmless(key, value) {
				return true
			}
		}
		return false
	}
	return plain(rec.Spec) || rec.Status.Before != nil && plain(rec.Status.Before.Spec)
}
