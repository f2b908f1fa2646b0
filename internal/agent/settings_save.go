package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"go.yaml.in/yaml/v3"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/home"
)

// SaveWay stores tunnel and proxy in agent.yaml and keeps everything else in it. An empty
// tunnel or proxy is not changed.
func SaveWay(dir string, tunnel agentproto.TunnelMode, proxy string) error {
	path := home.Dir(dir).Settings()
	before, err := home.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	after, err := withWay(before, tunnel, proxy)
	if err != nil {
		return fmt.Errorf("change %s: %w", path, err)
	}
	if bytes.Equal(before, after) {
		return nil
	}
	return home.WriteFile(path, after)
}

// withWay returns the text of an agent.yaml with new values for tunnel and proxy.
func withWay(text []byte, tunnel agentproto.TunnelMode, proxy string) ([]byte, error) {
	if tunnel == "" && proxy == "" {
		return text, nil
	}
	if _, err := ParseSettings(text); err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode { // nothing, or comments only
		if len(doc.Content) == 0 && len(text) > 0 { // what stands for null goes
			out.Write(append(bytes.TrimRight(text, "\n"), '\n')) // else a comment would go on
		}
		doc = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	section := valueOf(doc.Content[0], ownSection)
	if section.Kind != yaml.MappingNode {
		*section = yaml.Node{Kind: yaml.MappingNode}
	}
	for _, set := range []struct{ key, value string }{{"tunnel", string(tunnel)}, {"proxy", proxy}} {
		if set.value != "" {
			*valueOf(section, set.key) = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: set.value}
		}
	}
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&doc), e.Close()); err != nil {
		return nil, err
	}
	if _, err := ParseSettings(out.Bytes()); err != nil { // a section that was written with dots, an alias
		return nil, err
	}
	return out.Bytes(), nil
}

// valueOf returns the value of a key of a mapping, which is added if it is missing.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	value := &yaml.Node{}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
	return value
}
