package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"giftcards/openapi"
)

// Ids of operations in the complete document that have rules of their own here.
const (
	bulkOperation  = "bulkIssueGiftCards_v2_giftcards_programs__programId__cards_bulk_post"
	loginOperation = "login_for_access_token_v2_token_post"
)

// operation is the operation of the complete document that a request calls. It is zero if the
// document has none for the request's path and method.
type operation struct {
	id       string // operationId
	method   string // the method in the document, which is GET for a HEAD
	path     string // template, such as /v2/giftcards/programs/{programId}/cards
	declared *openapi3.Operation
	params   map[string]string // values of the path's parameters, decoded
}

// name is the part of the operation's id that says what it does, such as redeemGiftCard.
func (o operation) name() string {
	name, _, _ := strings.Cut(o.id, "_v2_")
	return name
}

// known reports whether the document has the operation.
func (o operation) known() bool { return o.declared != nil }

// codes are the statuses that the document declares, in order.
func (o operation) codes() []int {
	var codes []int
	for text := range o.declared.Responses.Map() {
		if code, err := strconv.Atoi(text); err == nil {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

func (o operation) declares(code int) bool { return slices.Contains(o.codes(), code) }

// listCodes lists the codes in words: "200, 401 and 422".
func (o operation) listCodes() string {
	var texts []string
	for _, code := range o.codes() {
		texts = append(texts, strconv.Itoa(code))
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " and " + texts[last]
}

// acts reports whether the server carries the request out although the client has chosen the
// code of the answer. Only a bulk request is carried out: at once for 201, and by a task for 202.
func (o operation) acts(code int) bool {
	return o.id == bulkOperation && (code == http.StatusCreated || code == http.StatusAccepted)
}

// followsClock reports whether the operation always uses the real time, because it is about
// logins, links, tasks or the server itself.
func (o operation) followsClock() bool {
	if !slices.Contains(o.declared.Tags, "Gift Cards") {
		return true
	}
	return o.name() == "downloadGiftCards" || o.name() == "pollBulkIssuance" || o.isReceipts()
}

// isReceipts reports whether the operation is about the link that ends receipts.
func (o operation) isReceipts() bool { return strings.HasSuffix(o.path, "/{receipt}") }

// operations finds the operation of a request.
type operations struct {
	base   string // path of the base URL, such as /cards, or ""
	router *echo.Echo
	byPath map[string]operation // by method and echo path
}

// newOperations reads the complete document. Requests are found by the router that the server
// uses, so that both agree on every path.
func newOperations(baseURL string) (*operations, error) {
	document, err := openapi.Load()
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	o := &operations{base: strings.TrimSuffix(base.Path, "/"), router: echo.New(), byPath: map[string]operation{}}
	placeholders := strings.NewReplacer("{", ":", "}", "")
	for path, item := range document.Paths.Map() {
		for method, declared := range item.Operations() {
			op := operation{id: declared.OperationID, method: method, path: path, declared: declared}
			o.add(method, placeholders.Replace(path), op)
			// The server answers HEAD where no token is needed.
			if method == http.MethodGet && declared.Security != nil && len(*declared.Security) == 0 {
				o.add(http.MethodHead, placeholders.Replace(path), op)
			}
		}
	}
	return o, nil
}

// has reports whether an operation has this id or short name.
func (o *operations) has(idOrName string) bool {
	for _, op := range o.byPath {
		if op.id == idOrName || op.name() == idOrName {
			return true
		}
	}
	return false
}

func (o *operations) add(method, path string, op operation) {
	o.byPath[method+" "+path] = op
	o.router.Add(method, path, echo.NotFoundHandler) // never called
}

// find returns the operation of a request, which is zero if there is none.
func (o *operations) find(r *http.Request) operation {
	r = o.below(r)
	c := o.router.AcquireContext()
	defer o.router.ReleaseContext(c)
	c.Reset(r, nil)
	o.router.Router().Find(r.Method, echo.GetPath(r), c)
	op, ok := o.byPath[r.Method+" "+c.Path()]
	if !ok {
		return operation{}
	}
	op.params = map[string]string{}
	for i, name := range c.ParamNames() {
		value := c.ParamValues()[i]
		// echo matches the raw path if there is one, and its values are then still encoded.
		if decoded, err := url.PathUnescape(value); err == nil && r.URL.RawPath != "" {
			value = decoded
		}
		op.params[name] = value
	}
	return op
}

// below returns the request without the path of the base URL. It returns r itself if r is not
// below that path.
func (o *operations) below(r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.Path, o.base)
	if o.base == "" || !ok || !strings.HasPrefix(rest, "/") {
		return r
	}
	stripped := new(http.Request)
	*stripped = *r
	stripped.URL = new(url.URL)
	*stripped.URL = *r.URL
	stripped.URL.Path = rest
	stripped.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, o.base)
	return stripped
}
