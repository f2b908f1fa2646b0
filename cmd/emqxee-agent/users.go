package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// account is a user of the host.
type account struct {
	name     string
	uid, gid int
}

var rootAccount = account{name: "root"}

// agentAccount returns the user that the agent runs as: the one that EMQX's
// packages make, which may read EMQX's files and nothing else of value; root where
// there is none (DynamicUser= of systemd could not read EMQX's logs).
func agentAccount(root string) account {
	f, err := os.Open(filepath.Join(root, "/etc/passwd"))
	if err != nil {
		return rootAccount
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 || fields[0] != "emqx" {
			continue
		}
		uid, err1 := strconv.Atoi(fields[2])
		gid, err2 := strconv.Atoi(fields[3])
		if err1 == nil && err2 == nil {
			return account{"emqx", uid, gid}
		}
	}
	return rootAccount
}

// giveTo makes everything below a directory belong to a user. Links are not
// followed.
func giveTo(a account, dir string) error {
	return filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, a.uid, a.gid)
	})
}
