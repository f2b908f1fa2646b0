package observed

import (
	"github.com/openecp/openecp/ecp"
)

func (q Query) Invalid(field, says string) error {
	return &ecp.Error{Code: ecp.CodeInvalid, Op: q.Op, Message: "the question contradicts the rules", Fields: []ecp.FieldError{{Field: field, Message: says}}}
}
