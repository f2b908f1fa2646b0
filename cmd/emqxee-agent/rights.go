package main

import (
	"os"

	"github.com/openecp/openecp/internal/agent/home"
)

// ownHome returns the agent's directory. With create it is made if it is missing.
func (p *program) ownHome(create bool) (home.Dir, error) {
	dir, err := p.findHome()
	if err != nil || !create || exists(string(dir)) {
		return dir, err
	}
	return dir, p.makeHome(dir)
}

// dropRights lets root act as the owner of the home for the rest of the process:
// what it writes there has to be readable by the agent, and a link that somebody
// else put there must not lead root astray. Where the home is missing it does
// nothing.
func (p *program) dropRights(dir home.Dir) error {
	info, err := os.Stat(string(dir))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	uid, gid := ownerOf(info)
	if os.Geteuid() != 0 || uid == 0 {
		return nil
	}
	if err := becomeUser(uid, gid); err != nil {
		return fail(exitNotAllowed, "Run it as that user.",
			"%s belongs to user %d, and this process cannot act for them: %w",
			dir, uid, err)
	}
	return nil
}

// enter is for commands that work in the home: it finds the directory, makes it if
// it is missing, and acts for its owner from then on.
func (p *program) enter() (home.Dir, error) {
	dir, err := p.ownHome(true)
	if err == nil {
		err = p.dropRights(dir)
	}
	if err == nil {
		err = p.makeHome(dir)
	}
	return dir, err
}
