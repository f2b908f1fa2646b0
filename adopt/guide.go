package adopt

import (
	"bytes"
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// Method is how an agent gets to the place where it runs.
type Method string

// The methods of a guide.
const (
	MethodBinary     Method = "binary"     // a program on the host of an EMQX node
	MethodContainer  Method = "container"  // the same program inside EMQX's own container
	MethodKubernetes Method = "kubernetes" // a pod of its own, beside EMQX
)

// Methods lists the methods in the order in which a person is offered them.
func Methods() []Method { return []Method{MethodBinary, MethodContainer, MethodKubernetes} }

// Architectures lists the architectures that the agent is built for, the usual
// one first. "arm" is ARMv6 and newer.
func Architectures() []string { return []string{"amd64", "arm", "arm64"} }

// BinaryName is the name of the agent's program for an architecture, in the
// folder it is served from and in its URL.
func BinaryName(arch string) string { return "emqxee-agent-linux-" + arch }

// DownloadPath is the path below which the agent's programs are served.
const DownloadPath = "/dl/"

// GuideRequest is what a guide is made from.
type GuideRequest struct {
	// URL is the address that agents dial, e.g. https://ecp.example.com:8443.
	URL string
	// CASHA256 is the SHA-256, in hex, of the certificate authority that the
	// server's certificate comes from; empty where public authorities vouch for it.
	CASHA256 string
	// Token is the registration token, which the commands contain.
	Token     ecp.Secret
	ExpiresAt time.Time
	Method    Method // an empty Method means MethodBinary
	Arch      string // an empty Arch means amd64; MethodKubernetes does not look at it
	// Checksums are the SHA-256, in hex, of the programs by architecture. What has
	// none is not offered.
	Checksums map[string]string
	// Cluster is the id of the cluster; objects on Kubernetes are named after it.
	Cluster ecp.ID
}

// Guide is how to make an agent of a cluster run, step by step.
type Guide struct {
	Method Method
	Arch   string // "" for MethodKubernetes: the pod takes what its host needs
	Steps  []Step
	// Manifest is the file of the steps for Kubernetes; empty for other methods.
	Manifest string
}

// Step is one step of a guide. The command is complete: it can be pasted into a
// shell as it is.
type Step struct {
	Number      int
	Title, Text ecp.Label
	Command     string
}

//go:embed guide/*.tmpl
var guideFiles embed.FS

// guideTemplates holds, for each method, the texts and the commands of its steps
// under the names "<method>/<step>.<zh|en|sh>".
var guideTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"sh": shellQuote, "yaml": yamlQuote, "indent": indent, "program": BinaryName,
}).ParseFS(guideFiles, "guide/*.tmpl"))

// guideTitles are those of the product that people know.
var guideTitles = []ecp.Label{
	{ZH: "下载", EN: "Download"},
	{ZH: "节点配置", EN: "Node configuration"},
	{ZH: "注册", EN: "Register"},
}

// NewGuide returns the steps that make an agent run. It does no I/O, and the same
// request leads to the same guide. Its errors name what of the request is wrong.
func NewGuide(r GuideRequest) (Guide, error) {
	r, err := r.complete()
	if err != nil {
		return Guide{}, err
	}
	data := guideData{GuideRequest: r, Token: string(r.Token),
		Expires: r.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC"),
		Sums:    r.sums(), Name: "emqxee-agent-" + string(r.Cluster)}
	g := Guide{Method: r.Method, Arch: r.Arch}
	if r.Method == MethodKubernetes {
		g.Arch = ""
		if g.Manifest, err = render("kubernetes/manifest", data); err != nil {
			return Guide{}, err
		}
		data.Manifest = g.Manifest
	}
	for i, title := range guideTitles {
		step := Step{Number: i + 1, Title: title}
		for part, into := range map[string]*string{"zh": &step.Text.ZH, "en": &step.Text.EN, "sh": &step.Command} {
			if *into, err = render(fmt.Sprintf("%s/%d.%s", r.Method, step.Number, part), data); err != nil {
				return Guide{}, err
			}
		}
		g.Steps = append(g.Steps, step)
	}
	return g, nil
}

// guideData is what the templates see.
type guideData struct {
	GuideRequest
	Token    string // in plain
	Expires  string
	Sums     []checksum
	Name     string // of objects on Kubernetes
	Manifest string
}

// checksum belongs to the program for one architecture.
type checksum struct{ Arch, Sum, Machines string }

// machines are the names that uname -m has for an architecture, as a pattern of
// the shell.
var machines = map[string]string{"amd64": "x86_64", "arm": "arm*", "arm64": "aarch64|arm64"}

// sums lists the checksums. arm64 comes before arm, whose pattern would take its
// machines.
func (r GuideRequest) sums() (out []checksum) {
	for _, arch := range []string{"amd64", "arm64", "arm"} {
		if sum := r.Checksums[arch]; sum != "" {
			out = append(out, checksum{arch, sum, machines[arch]})
		}
	}
	return out
}

// complete fills in what was left out, and refuses what no guide can be made of.
func (r GuideRequest) complete() (GuideRequest, error) {
	if r.Method == "" {
		r.Method = MethodBinary
	}
	if r.Arch == "" {
		r.Arch = Architectures()[0]
	}
	u, err := agentproto.ParseServerURL(r.URL)
	if err != nil {
		return r, invalid("url", err.Error())
	}
	r.URL = u.String()
	switch {
	case !slices.Contains(Methods(), r.Method):
		return r, invalid("method", "is "+fmt.Sprintf("%.40q", r.Method)+"; binary, container or kubernetes is wanted")
	case !slices.Contains(Architectures(), r.Arch):
		return r, invalid("arch", "is "+fmt.Sprintf("%.40q", r.Arch)+"; amd64, arm or arm64 is wanted")
	case string(r.Token) == "":
		return r, invalid("token", "is missing")
	case r.CASHA256 != "" && !isSum.MatchString(r.CASHA256):
		return r, invalid("caSha256", "is not 64 hexadecimal digits")
	}
	for arch, sum := range r.Checksums {
		if !isSum.MatchString(sum) {
			return r, invalid("checksums."+arch, "is not 64 hexadecimal digits")
		}
	}
	if r.Method == MethodKubernetes && len(r.sums()) == 0 || r.Method != MethodKubernetes && r.Checksums[r.Arch] == "" {
		return r, &ecp.Error{Code: ecp.CodeConflict, Op: "make guide",
			Message: "this server has no agent to download for " + r.wantedFor() +
				"; build them with make agents, and see the setting agents.dir"}
	}
	return r, nil
}

func (r GuideRequest) wantedFor() string {
	if r.Method == MethodKubernetes {
		return "any architecture"
	}
	return "linux/" + r.Arch
}

var isSum = regexp.MustCompile(`^[0-9a-f]{64}$`)

func invalid(field, message string) error {
	return &ecp.Error{Code: ecp.CodeInvalid, Op: "make guide", Message: "the guide cannot be made",
		Fields: []ecp.FieldError{{Field: field, Message: message}}}
}

// render fills in one template.
func render(name string, data guideData) (string, error) {
	var b bytes.Buffer
	if err := guideTemplates.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("make guide: %w", err)
	}
	return strings.Trim(b.String(), "\n"), nil
}

var isPlainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote makes one word of a text, whatever stands in it, for every POSIX
// shell. What needs no quotes has none.
func shellQuote(s string) string {
	if isPlainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// yamlQuote makes a scalar of a text: every JSON string is one in YAML.
func yamlQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s) + `"`
}

// indent puts spaces before the second and later lines.
func indent(n int, s string) string {
	return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n))
}
