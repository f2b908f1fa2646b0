package logs

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/setting"
	"github.com/openecp/openecp/ecp/internal/validate"
	"github.com/openecp/openecp/internal/emqxlog"
)

// secretsOf lists what must not be shown of a cluster's logs: what the platform has
// made, what the catalogues give it, and its own settings, also those that nodes
// may still have from before a change.
func (m *Reader) secretsOf(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord) ([]string, error) {
	var out []string
	if t, ok := p.(ecp.SecretTeller); ok {
		made, err := t.Secrets(ctx, rec.ID)
		if err != nil {
			return nil, err
		}
		for _, s := range made {
			out = append(out, string(s))
		}
	}
	var d ecp.Desired
	if err := m.observed.AddSecrets(ctx, rec, &d); err != nil {
		return nil, err
	}
	out = append(out, string(d.Pull.Password), string(d.License))
	specs := []ecp.Spec{rec.Spec}
	if rec.Status.Previous != nil {
		specs = append(specs, rec.Status.Previous.Spec)
	}
	for _, s := range specs {
		if s.Hosted == nil {
			continue
		}
		for key, stored := range s.Hosted.Config {
			if setting.Harmless(key, stored) {
				continue
			}
			plain, err := m.observed.OpenSetting(rec.ID, key, stored)
			if err != nil {
				return nil, err
			}
			out = append(out, validate.TextsOf(plain)...)
		}
	}
	return out, nil
}

// maskedLog is a log without secrets.
type maskedLog struct {
	io.Reader
	io.Closer
}

// body opens the log of a node, without the cluster's secrets. Where they cannot be
// told nothing is shown.
func (p podLogs) body(ctx context.Context, node string, o ecp.LogOptions) (io.ReadCloser, error) {
	rec, _, err := p.m.observed.Load(ctx, p.id)
	if err != nil {
		return nil, fault.Wrap(p.op, err)
	}
	secrets, err := p.m.secretsOf(ctx, p.platform, rec)
	if err != nil {
		return nil, err
	}
	log, err := p.reader.Logs(ctx, p.id, node, o)
	if err != nil {
		return nil, err
	}
	return maskedLog{emqxlog.Mask(log, secrets), log}, nil
}

// printsSecrets are the levels at which EMQX 4.4 prints the secret of its API and
// the password of its dashboard.
var printsSecrets = map[string]bool{"all": true, "debug": true, "info": true}

// CheckLogLevels refuses levels of the log at which EMQX would print secrets, where they
// are read by others than by us: on Kubernetes' machines and by what collects logs.
func CheckLogLevels(wrong *fault.Fields, rec ecp.ClusterRecord) {
	v, ok := ecp.ParseVersion(rec.Resolved.Image.Version)
	if !ok || v.Major > 4 {
		return
	}
	config := rec.Spec.Hosted.Config
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if strings.HasPrefix(key, "log.") && strings.HasSuffix(key, "level") &&
			printsSecrets[strings.ToLower(strings.Trim(config[key], `"`))] {
			wrong.Add("spec.config["+key+"]",
				"is %q: EMQX %s prints its own secrets at that level; notice is the most detailed one that is allowed",
				config[key], rec.Resolved.Image.Version)
		}
	}
}

// CheckReferences refuses values that EMQX 4.4 would replace: it takes $(node.cookie) in a
// value for that setting's own, so that secrets could be brought where they can be
// read, and does not start where there is no such setting. What was there before
// stays.
func CheckReferences(wrong *fault.Fields, rec ecp.ClusterRecord, was map[string]string) {
	v, ok := ecp.ParseVersion(rec.Resolved.Image.Version)
	if !ok || v.Major > 4 {
		return
	}
	config := rec.Spec.Hosted.Config
	for _, key := range slices.Sorted(maps.Keys(config)) {
		old, had := was[key]
		kept := had && old == config[key]
		if _, after, refers := strings.Cut(config[key], "$("); refers && strings.Contains(after, ")") && !kept {
			wrong.Add("spec.config["+key+"]",
				"has $(…), in the place of which EMQX %s puts the value of another setting; that cannot be escaped",
				rec.Resolved.Image.Version)
		}
	}
}
