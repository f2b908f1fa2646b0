package sealing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// Settings seals and opens the settings of clusters.
type Settings struct{ Observed *observed.Clusters }

// Seal seals the values of a spec that may be secrets, and keeps the form
// in which old has them where they are the same.
func (s Settings) Seal(wrong *fault.Fields, id ecp.ID, spec *ecp.HostedSpec, old map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(spec.Config)) {
		value := spec.Config[key]
		if setting.IsSealed(value) || setting.Harmless(key, value) {
			continue
		}
		if s.Observed.Sealer == nil {
			wrong.Add("spec.config["+key+"]", "may be a secret, and no key was configured to encrypt secrets with: "+
				"configure one, or leave the setting out")
			continue
		}
		if was, ok := old[key]; ok && setting.IsSealed(was) {
			if plain, err := s.Observed.OpenSetting(id, key, was); err == nil && plain == value {
				spec.Config[key] = was
				continue
			}
		}
		sealed, err := s.Observed.Sealer.Seal([]byte(value), observed.SettingBinding(id, key))
		if err != nil {
			return err
		}
		spec.Config[key] = setting.SealedPrefix + sealed
	}
	return nil
}

// Keep puts the stored value where a new spec says "[redacted]".
func Keep(wrong *fault.Fields, config, old map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		was, had := old[key]
		switch value := config[key]; {
		case value == setting.Redacted && had:
			config[key] = was
		case setting.IsSealed(value) && value != was:
			wrong.Add("spec.config["+key+"]", "must not begin with %q", setting.SealedPrefix)
			config[key] = ""
		}
	}
}

// sealRecord seals what a record has in plain text or under an older key, also in
// what was wanted before. It reports whether it changed anything; failing leaves
// the record as it was.
func (s Settings) sealRecord(rec *ecp.ClusterRecord) (bool, error) {
	changed := false
	all := []map[string]string{rec.Status.FormerSettings}
	if u := rec.Status.Untold; u != nil {
		all = append(all, u.Was)
	}
	for _, spec := range []*ecp.Spec{&rec.Spec, specBefore(&rec.Status)} {
		if spec != nil && spec.Hosted != nil {
			all = append(all, spec.Hosted.Config)
		}
	}
	for _, settings := range all {
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			value := settings[key]
			if setting.Harmless(key, value) || setting.IsSealed(value) && s.Observed.Sealer != nil &&
				s.Observed.Sealer.Current(strings.TrimPrefix(value, setting.SealedPrefix)) {
				continue
			}
			plain, err := s.Observed.OpenSetting(rec.ID, key, value)
			if err == nil && s.Observed.Sealer == nil {
				err = ecp.NewError(ecp.CodeUnsupported, "", "no key was configured to encrypt secrets with")
			}
			if err != nil {
				return false, err
			}
			sealed, err := s.Observed.Sealer.Seal([]byte(plain), observed.SettingBinding(rec.ID, key))
			if err != nil {
				return false, err
			}
			settings[key] = setting.SealedPrefix + sealed
			changed = true
		}
	}
	return changed, nil
}

// specBefore is what was wanted before the running operation; nil = there is no way
// back.
func specBefore(st *ecp.Status) *ecp.Spec {
	if st.Previous == nil {
		return nil
	}
	return &st.Previous.Spec
}

// SealRecords seals the settings of all clusters that are not sealed with the
// newest key. It reports how many records it wrote.
func (s Settings) SealRecords(tx ecp.Tx) (int, error) {
	var due []ecp.ClusterRecord
	for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
		if err != nil {
			return 0, err
		}
		rec = rec.Clone()
		changed, err := s.sealRecord(&rec)
		if err != nil {
			return 0, fmt.Errorf("cluster %s: %w", rec.ID, err)
		}
		if changed {
			due = append(due, rec)
		}
	}
	for _, rec := range due {
		if err := ecp.Put(tx, rec, ecp.AnyVersion); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

// SealStored seals what an earlier build has stored in plain text. Where that
// cannot be done the cluster runs on, and the log says so.
func (s Settings) SealStored(ctx context.Context) {
	n := 0
	err := s.Observed.Store.Read(ctx, func(tx ecp.Tx) error {
		n = 0
		for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
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
		err = s.Observed.Store.Write(ctx, func(tx ecp.Tx) error {
			_, err := s.SealRecords(tx)
			return errors.Join(err, s.SealAnswers(tx), redactAudit(tx))
		})
	}
	if err != nil && ctx.Err() == nil {
		s.Observed.Log.WarnContext(ctx, "settings of clusters that may be secrets are stored in plain text",
			"clusters", n, "error", err)
	}
}

// SealAnswers seals what is kept to answer repeated calls with.
func (s Settings) SealAnswers(tx ecp.Tx) error {
	var due []change.Answered
	for a, err := range ecp.List[change.Answered](tx, ecp.Query{}) {
		if err != nil {
			return err
		}
		var made struct { // what a create answers
			Cluster   ecp.ClusterRecord
			Operation json.RawMessage
		}
		if json.Unmarshal([]byte(a.Result), &made) != nil || made.Cluster.ID == "" {
			continue
		}
		if changed, err := s.sealRecord(&made.Cluster); err != nil {
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
		if err := ecp.Put(tx, a, ecp.AnyVersion); err != nil {
			return err
		}
	}
	return nil
}

// redactAudit takes values of settings out of the audit that an earlier build has
// written there.
func redactAudit(tx ecp.Tx) error {
	var due []change.AuditEntry
	for e, err := range ecp.List[change.AuditEntry](tx, ecp.Query{}) {
		if err != nil {
			return err
		}
		if e, found := e.Redacted(); found {
			due = append(due, e)
		}
	}
	for _, e := range due {
		if err := ecp.Put(tx, e, ecp.AnyVersion); err != nil {
			return err
		}
	}
	return nil
}

// plainSettings reports whether a record has values in plain text that may be
// secrets.
func plainSettings(rec ecp.ClusterRecord) bool {
	plain := func(s ecp.Spec) bool {
		if s.Hosted == nil {
			return false
		}
		for key, value := range s.Hosted.Config {
			if !setting.IsSealed(value) && !setting.Harmless(key, value) {
				return true
			}
		}
		return false
	}
	return plain(rec.Spec) || rec.Status.Previous != nil && plain(rec.Status.Previous.Spec)
}
