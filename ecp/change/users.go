package change

import (
	"errors"

	"github.com/openecp/openecp/ecp"
)

// DeleteIfThere deletes a record; one that is not there is no error.
func DeleteIfThere(tx ecp.Tx, kind ecp.Kind, key string) error {
	if err := tx.Delete(kind, key); !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	return nil
}
