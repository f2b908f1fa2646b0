package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

const registerHelp = `Registers this agent with a server. The guide in the server's console has the
whole command. It can be called again, as for another server, a new token or a new
password of EMQX: the agent keeps its key, and with it its place in the server.
Without --url and a token it changes what is stored of EMQX only.

What is not given of EMQX is looked for in this order: variables, the agent's own
files, a question where there is a terminal, EMQX's own configuration on this host,
and the defaults (http://127.0.0.1:18083, port 8081 for EMQX 4.4, admin/public).

If EMQX refuses the credentials or does not answer, the registration is made
nevertheless (exit code 0): the output, status and the server's console say what
to do. EMQX of an open-source edition is refused, and the token is not used.

A token or password in a flag is hidden from the list of processes as soon as the
program has started; the shell's history keeps it. The variable, a -file flag or
the question leave no trace.`

func (p *program) registerCommand() *cobra.Command {
	r := &registration{program: p}
	cmd := &cobra.Command{
		Use: "register", Short: "tell the agent its server", Args: noArguments,
		Long: registerHelp + "\n\n" + environmentHelp + "\n\n" + exitHelp,
		Example: `  emqxee-agent register --url https://ecp.example.com --registration-token 0123456789abcdef0123456789abcdef
  EMQXEE_AGENT_REGISTRATION_TOKEN=… emqxee-agent register --url https://ecp.example.com --emqx-dashboard-username admin
  emqxee-agent register --url https://ecp.example.com --registration-token-file - < token
  emqxee-agent register --emqx-dashboard-username admin    # another user or password of EMQX: it asks for it
  emqxee-agent register --read-only=false                  # the server may change things in EMQX again`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := r.read(cmd); err != nil {
				return err
			}
			return r.run(cmd.Context())
		},
	}
	r.server.define(cmd.Flags())
	defineSecret(cmd.Flags(), "registration-token", "registration token of the guide")
	r.defineBroker(cmd.Flags())
	return cmd
}

// registration is one call of register.
type registration struct {
	*program
	server serverFlags
	given  serverFlags // what of it is to be stored
	token  string
	// brokerOnly changes what is stored of EMQX, and asks nothing of the server.
	brokerOnly bool
	broker     agent.BrokerSettings
	off        map[string]bool // switches that were given as off
	home       home.Dir
}

// read takes everything the person gave, as the user that called: a file with a
// token may be closed to the agent's.
func (r *registration) read(cmd *cobra.Command) (err error) {
	if err := r.takeVariables(cmd); err != nil {
		return err
	}
	r.off = map[string]bool{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if _, isSwitch := f.Value.(onOff); isSwitch {
			r.off[f.Name] = f.Value.String() == "false"
		}
	})
	r.brokerOnly = r.server.url == "" && changedAny(cmd, "emqx-", "read-only") && !changedAny(cmd, "registration-token")
	if err := r.server.check(!r.brokerOnly); err != nil {
		return err
	}
	secrets := secretReader{cmd.Flags(), bufio.NewReader(r.stdin)}
	if r.token, err = secrets.read("registration-token"); err != nil {
		return err
	}
	if err := r.readBroker(cmd.Context(), secrets); err != nil {
		return err
	}
	if r.brokerOnly {
		return nil
	}
	if r.token == "" {
		if !r.atTerminal() {
			return fail(exitUsage,
				"The guide in the server's console has one; give it by --registration-token, "+
					"--registration-token-file or "+variableOf("registration-token")+
					".", "a registration token is missing")
		}
		if r.token, err = r.ask(cmd.Context(), "Registration token:", true); err != nil {
			return err
		}
	}
	if strings.ContainsFunc(r.token, func(c rune) bool { return c <= ' ' || c > '~' }) || r.token == "" {
		return fail(exitUsage, "", "the registration token is empty, or has characters in it that no token has")
	}
	return nil
}

func (r *registration) run(ctx context.Context) (err error) {
	if r.home, err = r.enter(); err != nil {
		return err
	}
	if err := errors.Join(checkSpace(r.home), r.readStored()); err != nil {
		return err
	}
	before, err := agentproto.ReadIdentity(r.home.Identity())
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && r.brokerOnly:
		return fail(exitNotRunning, "The guide in the server's console has the whole command.",
			"the agent is not registered, and --url is missing")
	case err != nil && !missing:
		return fail(exitFailed, "Move the file away to register as a new agent.", "read the identity that is there: %w",
			err)
	}
	settings, problem, err := r.findBroker(ctx)
	if err != nil {
		return err
	}
	if r.brokerOnly {
		return r.changeBroker(ctx, settings, problem)
	}
	identity, err := r.redeem(ctx, before)
	if err != nil {
		return err
	}
	if err := r.store(settings, identity); err != nil {
		return fail(exitFailed, "Mend that and run the same command again; the token is still good.",
			"the server has registered agent %s, but it cannot be stored here: %w", identity.Agent, err)
	}
	r.tellRegistered(before, identity)
	if problem != "" {
		r.warn("EMQX: %s", problem)
		r.warn("the server shows that, too, until it is mended")
	}
	return r.afterRegister(ctx, identity)
}

// changeBroker stores other settings of EMQX for an agent that is registered.
func (r *registration) changeBroker(ctx context.Context, settings agent.BrokerSettings, problem string) error {
	if problem != "" {
		return fail(exitFailed,
			"Nothing was changed. emqxee-agent doctor says which step of the way to EMQX fails with what is stored.",
			"%s", problem)
	}
	if err := agent.SaveBroker(string(r.home), settings); err != nil {
		return err
	}
	r.say("The settings of EMQX are stored; the registration is as it was.")
	return agent.Reload(ctx, string(r.home))
}

// changedAny reports whether a flag was given whose name begins so.
func changedAny(cmd *cobra.Command, prefixes ...string) (changed bool) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		for _, p := range prefixes {
			changed = changed || strings.HasPrefix(f.Name, p)
		}
	})
	return changed
}

// findBroker looks for EMQX and for what logs in there. problem says what is wrong
// with it, in words; an error is what makes a registration pointless.
func (r *registration) findBroker(ctx context.Context) (settings agent.BrokerSettings, problem string, err error) {
	config := agent.DiscoverConfig{Given: r.broker, Home: r.home, Getenv: r.getenv, Root: r.root}
	if r.atTerminal() {
		config.Prompt = r.askForCredentials
	}
	settings, tried, err := agent.DiscoverBroker(ctx, config)
	r.turnOff(&settings)
	for _, line := range tried {
		r.say("Looked for EMQX: %s", line)
	}
	switch {
	case err == nil:
		return settings, "", nil
	case ctx.Err() != nil:
		return settings, "", ctx.Err()
	case errors.Is(err, ecp.ErrUnsupported):
		return settings, "", fail(exitFailed,
			"The agent needs EMQX Enterprise 4.4.6 or later, or 5.6.0 or later. The token has not been used.", "%s",
			ecp.MessageOf(err))
	case errors.Is(err, ecp.ErrInvalid):
		return settings, "", fail(exitUsage,
			"A password is given by --emqx-dashboard-password-file, by "+variableOf("emqx-dashboard-password")+
				", or at a terminal when it is asked for.", "%s", ecp.MessageOf(err))
	}
	return settings, ecp.MessageOf(err), nil
}

// turnOff lets a switch that was given as off win over what is stored.
func (r *registration) turnOff(settings *agent.BrokerSettings) {
	settings.LogCollection = settings.LogCollection && !r.off["emqx-log-collection-enabled"]
	settings.ReadOnly = settings.ReadOnly && !r.off["read-only"]
}

// askForCredentials asks for what nothing else has given.
func (r *registration) askForCredentials(ctx context.Context, known agent.BrokerSettings) (agent.BrokerSettings,
	error) {
	user, err := r.ask(ctx, "EMQX dashboard user (empty: look for one on this host):", false)
	if err != nil || user == "" {
		return known, err
	}
	password, err := r.ask(ctx, "Password of "+user+":", true)
	if err != nil {
		return known, err
	}
	if password == "" {
		return known, fail(exitUsage, "", "no password was given for the user %q", user)
	}
	known.Username, known.Password = user, password
	return known, nil
}

// registerWithin bounds the conversation with the server. One that is busy is asked
// again in the meantime.
const registerWithin = 45 * time.Second

// redeem sends the token. The key that is there already is kept.
func (r *registration) redeem(ctx context.Context, before agentproto.Identity) (agentproto.Identity, error) {
	proxy, err := r.server.proxyFunc()
	if err != nil {
		return agentproto.Identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, registerWithin)
	defer cancel()
	name := "" // the same server may call itself other than its URL does; another one may not
	if u, err := agentproto.ParseServerURL(r.server.url); err == nil && u.String() == before.Server {
		name = before.ServerName
	}
	identity, err := agentproto.Register(ctx, agentproto.RegisterConfig{
		URL: r.server.url, Token: r.token, CASHA256: r.server.pins, Key: before.Key, ServerName: name,
		Hello: hello(), Proxy: proxy, BuildTime: thisBuild().Built,
	})
	if err != nil {
		return identity, serverFailure(err, "register with "+r.server.url)
	}
	return identity, nil
}

// readStored takes proxy and tunnel of an earlier registration, and keeps the proxy of
// this shell's environment, which the agent will not have.
func (r *registration) readStored() error {
	r.given = r.server
	if err := r.server.orStored(r.home); err != nil {
		return err
	}
	if proxy := r.server.proxyHere(); proxy != "" {
		r.server.proxy, r.given.proxy = proxy, proxy
		r.say("The proxy of this shell's environment is kept for the agent; --proxy none undoes that.")
	}
	return nil
}

// store keeps what was agreed. The identity comes last: the agent that runs takes
// it up at once, and needs the rest then.
func (r *registration) store(settings agent.BrokerSettings, identity agentproto.Identity) error {
	if err := agent.SaveBroker(string(r.home), settings); err != nil {
		return err
	}
	if err := agent.SaveWay(string(r.home), agentproto.TunnelMode(r.given.tunnel), r.given.proxy); err != nil {
		return err
	}
	return agentproto.WriteIdentity(r.home.Identity(), identity)
}

func (r *registration) tellRegistered(before, now agentproto.Identity) {
	again := ""
	if before.Agent == now.Agent && before.Agent != "" {
		again = " again"
	}
	r.say("Registered%s as agent %s%s at %s.", again, now.Agent, prefixed(" of ", now.Cluster), now.Server)
}

// serverFailure turns what the server, or the way to it, refused into words.
func serverFailure(err error, doing string) error {
	code, next := exitFailed, "emqxee-agent doctor --url … says which step of the way fails."
	var (
		known   *failure
		refusal *agentproto.Refusal
		step    *agentproto.Failure
	)
	switch {
	case errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &refusal):
		if next = adviceOn[refusal.Code]; strings.Contains(refusal.Message, "guide") {
			next = "" // it was said
		}
	case errors.As(err, &step):
		err, next = errors.New(step.Message), strings.TrimSpace(step.Hint+"\n"+next)
	case errors.Is(err, context.DeadlineExceeded):
		code = exitTimedOut
	}
	return fail(code, next, "%s: %w", doing, err)
}

// adviceOn says what to do about a refusal.
var adviceOn = map[agentproto.RefusalCode]string{
	agentproto.RefusedTokenUnknown: "Take a new command from the guide in the server's console.",
	agentproto.RefusedTokenExpired: "Take a new command from the guide in the server's console.",
	agentproto.RefusedTokenRevoked: "Take a new command from the guide in the server's console.",
	agentproto.RefusedUnsupportedVersion: "Take the program that the server offers: the guide in its console has the " +
		"address.",
	agentproto.RefusedUnsupportedProtocol: "Take the program that the server offers: the guide in its console has " +
		"the " +
		"address.",
	agentproto.RefusedClusterMismatch: "Use the guide of the cluster that this EMQX belongs to.",
	agentproto.RefusedBusy:            "Run the same command again in a minute.",
	agentproto.RefusedGoingAway:       "Run the same command again in a minute.",
}

// takenUpWithin is how long register waits until the agent that runs is connected.
const takenUpWithin = 10 * time.Second

// afterRegister says what comes next. An agent that runs connects by itself.
func (r *registration) afterRegister(ctx context.Context, identity agentproto.Identity) error {
	if !answers(ctx, r.home) {
		r.say("The agent does not run yet: emqxee-agent start starts it.")
		return nil
	}
	if err := agent.Reload(ctx, string(r.home)); err != nil {
		return err
	}
	var last agent.Status
	connected := until(takenUpWithin, func() bool {
		s, err := agent.ReadStatus(ctx, string(r.home))
		if err == nil {
			last = s
		}
		return ctx.Err() != nil || s.Phase == agent.PhaseConnected && s.Server.Agent == identity.Agent
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case connected:
		r.say("The agent is connected (%s).", last.Server.Carrier)
	default:
		r.say("The agent is not connected yet: %s. emqxee-agent status says more.",
			strings.TrimSuffix(cmp.Or(last.Server.Error, string(last.Phase)), "."))
	}
	return nil
}

// hello is what the agent tells of itself while it registers.
func hello() agentproto.Hello {
	host, _ := os.Hostname() // shown to people only
	return agentproto.Hello{Version: thisBuild().Version, OS: runtime.GOOS, Arch: runtime.GOARCH, Hostname: host,
		Time: time.Now()}
}
