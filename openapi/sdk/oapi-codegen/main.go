// Program journey issues and uses gift cards with the client that oapi-codegen generates.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"journey/client"
)

func main() {
	log.SetFlags(0)
	if err := journey(context.Background()); err != nil {
		log.Fatalln("error:", err)
	}
}

func journey(ctx context.Context) error {
	var token string
	giftcards, err := client.NewClientWithResponses(os.Getenv("GIFTCARDS_URL"),
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return nil
		}))
	if err != nil {
		return err
	}
	program := os.Getenv("GIFTCARDS_PROGRAM_ID")

	login, err := giftcards.LoginForAccessTokenV2TokenPostWithFormdataBodyWithResponse(ctx, client.BodyLoginForAccessTokenV2TokenPost{
		Username: os.Getenv("GIFTCARDS_USERNAME"), Password: os.Getenv("GIFTCARDS_PASSWORD"),
	})
	if err != nil {
		return err
	}
	if login.JSON200 == nil || login.JSON200.AccessToken == nil {
		return fmt.Errorf("login: %s", login.Status())
	}
	token = *login.JSON200.AccessToken
	passed("token")

	// The value is a string, because the union's number is a float32 and would be rounded.
	card := client.CreateGiftCardRequest{MerchantId: os.Getenv("GIFTCARDS_MERCHANT_ID")}
	if err := card.InitialValue.FromCreateGiftCardRequestInitialValue1("25.10"); err != nil {
		return err
	}
	created, err := giftcards.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPostWithResponse(ctx, program, nil, card)
	if err != nil {
		return err
	}
	if created.JSON201 == nil || created.JSON201.InitialValue != "25.10" || created.JSON201.Status != client.Pending {
		return fmt.Errorf("create: %s", created.Status())
	}
	passed("create")

	if err := card.InitialValue.FromCreateGiftCardRequestInitialValue1("0"); err != nil {
		return err
	}
	refused, err := giftcards.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPostWithResponse(ctx, program, nil, card)
	if err != nil {
		return err
	}
	if refused.JSON422 == nil || refused.JSON422.Detail == nil || len(*refused.JSON422.Detail) != 1 {
		return fmt.Errorf("refused: %s", refused.Status())
	}
	fault := (*refused.JSON422.Detail)[0]
	field, err := fault.Loc[len(fault.Loc)-1].AsValidationErrorLoc0()
	if err != nil || field != "initialValue" || fault.Type != "greater_than_equal" {
		return fmt.Errorf("refused: %s at %s: %w", fault.Type, field, err)
	}
	passed("refused")

	id := created.JSON201.Id
	if err := use(ctx, giftcards, program, id); err != nil {
		return err
	}

	few, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostWithResponse(ctx, program, nil, bulk(50))
	if err != nil {
		return err
	}
	if few.JSON201 == nil {
		return fmt.Errorf("bulk: %s", few.Status())
	}
	issued, err := few.JSON201.AsBulkIssuanceSyncResponse()
	if err != nil || issued.IssuedCount != 50 || len(issued.Cards) != 50 {
		return fmt.Errorf("bulk: %d cards: %w", len(issued.Cards), err)
	}
	passed("bulk")

	// Above the threshold of 50 cards the same operation answers 202 with a task.
	key := fmt.Sprint("journey-", time.Now().UnixNano())
	params := &client.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostParams{IdempotencyKey: &key}
	many, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostWithResponse(ctx, program, params, bulk(500))
	if err != nil {
		return err
	}
	if many.JSON202 == nil || many.JSON202.TaskId == "" {
		return fmt.Errorf("task: %s", many.Status())
	}
	passed("task")

	task, err := completed(ctx, giftcards, program, many.JSON202.TaskId)
	if err != nil {
		return err
	}
	if task.IssuedCount == nil || *task.IssuedCount != 500 || task.Cards == nil || len(*task.Cards) != 500 || task.CsvDownloadUrl == nil {
		return fmt.Errorf("poll: not 500 cards and a link")
	}
	passed("poll")

	// The same key and body must return the same task.
	again, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostWithResponse(ctx, program, params, bulk(500))
	if err != nil {
		return err
	}
	if again.JSON202 == nil || again.JSON202.TaskId != many.JSON202.TaskId || again.Headers202 == nil || again.Headers202.IdempotentReplayed == nil {
		return fmt.Errorf("replay: %s", again.Status())
	}
	passed("replay")

	csv, err := giftcards.DownloadGiftCardsV2GiftcardsDownloadsLinkGetWithResponse(ctx, path.Base(*task.CsvDownloadUrl))
	if err != nil {
		return err
	}
	if lines := strings.Count(string(csv.Body), "\n"); csv.StatusCode() != http.StatusOK || lines != 501 {
		return fmt.Errorf("csv: %s, %d lines", csv.Status(), lines)
	}
	passed("csv")

	// Only the CSV has the security code that a transfer asks for.
	first := strings.Split(strings.Split(string(csv.Body), "\r\n")[1], ",")
	if err := transfer(ctx, giftcards, program, first[4], first[1], created.JSON201.CardNumber); err != nil {
		return err
	}
	if err := find(ctx, giftcards, program, id, created.JSON201.CardNumber); err != nil {
		return err
	}

	if _, err := giftcards.LogoutV2TokenLogoutPostWithResponse(ctx); err != nil {
		return err
	}
	stranger, err := giftcards.GetTokenInfoV2TokenGetWithResponse(ctx)
	if err != nil {
		return err
	}
	if stranger.JSON401 == nil || stranger.JSON401.Detail == "" {
		return fmt.Errorf("logout: %s", stranger.Status())
	}
	passed("logout")
	return nil
}

// use activates a card of 25.10, takes money from it, gives it back and adds 5.00.
func use(ctx context.Context, giftcards *client.ClientWithResponses, program, id string) error {
	active, err := giftcards.ActivateGiftCardV2GiftcardsProgramsProgramIdCardsCardIdActivatePostWithResponse(ctx, program, id, nil, client.ActivateGiftCardRequest{})
	if err != nil {
		return err
	}
	if active.JSON200 == nil || active.JSON200.Balance != "25.10" || active.JSON200.Status != client.Active {
		return fmt.Errorf("activate: %s", active.Status())
	}
	passed("activate")

	yes := true
	details, err := giftcards.GetGiftCardDetailsV2GiftcardsProgramsProgramIdCardsCardIdGetWithResponse(ctx, program, id,
		&client.GetGiftCardDetailsV2GiftcardsProgramsProgramIdCardsCardIdGetParams{IncludeTransactions: &yes})
	if err != nil {
		return err
	}
	if details.JSON200 == nil || details.JSON200.Transactions == nil || len(*details.JSON200.Transactions) != 1 {
		return fmt.Errorf("details: %s", details.Status())
	}
	if entry := (*details.JSON200.Transactions)[0]; entry.TransactionType != client.ACTIVATION || entry.Amount != "25.10" {
		return fmt.Errorf("details: %s of %s", entry.TransactionType, entry.Amount)
	}
	passed("details")

	redeemed, err := redeem(ctx, giftcards, program, id, "10.00")
	if err != nil {
		return err
	}
	if redeemed.JSON200 == nil || redeemed.JSON200.RemainingBalance != "15.10" {
		return fmt.Errorf("redeem: %s", redeemed.Status())
	}
	passed("redeem")

	tooMuch, err := redeem(ctx, giftcards, program, id, "15.11")
	if err != nil {
		return err
	}
	if tooMuch.JSON400 == nil || tooMuch.JSON400.Detail != "Insufficient gift card balance" {
		return fmt.Errorf("insufficient: %s", tooMuch.Status())
	}
	passed("insufficient")

	// A refund without an amount gives all of it back.
	refunded, err := giftcards.RefundGiftCardTransactionV2GiftcardsProgramsProgramIdCardsCardIdTransactionsTransactionIdRefundPostWithResponse(ctx,
		program, id, redeemed.JSON200.TransactionId, nil, client.RefundTransactionRequest{})
	if err != nil {
		return err
	}
	if refunded.JSON200 == nil || refunded.JSON200.RefundedAmount != "10.00" || refunded.JSON200.RemainingBalance != "25.10" {
		return fmt.Errorf("refund: %s", refunded.Status())
	}
	passed("refund")

	request := client.ReloadRequest{}
	if err := request.Amount.FromReloadRequestAmount1("5.00"); err != nil {
		return err
	}
	reloaded, err := giftcards.ReloadGiftCardV2GiftcardsProgramsProgramIdCardsCardIdReloadPostWithResponse(ctx, program, id, nil, request)
	if err != nil {
		return err
	}
	if reloaded.JSON200 == nil || reloaded.JSON200.Balance != "30.10" {
		return fmt.Errorf("reload: %s", reloaded.Status())
	}
	passed("reload")
	return nil
}

func redeem(ctx context.Context, giftcards *client.ClientWithResponses, program, id, amount string) (*client.RedeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPostResponse, error) {
	request := client.RedeemRequest{}
	if err := request.Amount.FromRedeemRequestAmount1(amount); err != nil {
		return nil, err
	}
	return giftcards.RedeemGiftCardV2GiftcardsProgramsProgramIdCardsCardIdRedeemPostWithResponse(ctx, program, id, nil, request)
}

// transfer activates a card of 10.00 and moves 4.90 of it to the card with the number.
func transfer(ctx context.Context, giftcards *client.ClientWithResponses, program, id, code, number string) error {
	if _, err := giftcards.ActivateGiftCardV2GiftcardsProgramsProgramIdCardsCardIdActivatePostWithResponse(ctx, program, id, nil, client.ActivateGiftCardRequest{}); err != nil {
		return err
	}
	request := client.TransferBalanceRequest{SecurityCode: code, DestinationCardNumber: number}
	if err := request.Amount.FromTransferBalanceRequestAmount1("4.90"); err != nil {
		return err
	}
	moved, err := giftcards.TransferGiftCardBalanceV2GiftcardsProgramsProgramIdCardsCardIdTransferPostWithResponse(ctx, program, id, nil, request)
	if err != nil {
		return err
	}
	if moved.JSON200 == nil || moved.JSON200.SourceCard.RemainingBalance != "5.10" || moved.JSON200.DestinationCard.NewBalance != "35.00" {
		return fmt.Errorf("transfer: %s", moved.Status())
	}
	passed("transfer")
	return nil
}

// find looks for the card among the active ones and by its number.
func find(ctx context.Context, giftcards *client.ClientWithResponses, program, id, number string) error {
	active := client.Active
	listed, err := giftcards.GetGiftCardsV2GiftcardsProgramsCardsGetWithResponse(ctx,
		&client.GetGiftCardsV2GiftcardsProgramsCardsGetParams{ProgramId: &program, Status: &active})
	if err != nil {
		return err
	}
	hasID := func(card client.GiftCardResponse) bool { return card.Id == id }
	if listed.JSON200 == nil || !slices.ContainsFunc(*listed.JSON200, hasID) {
		return fmt.Errorf("list: %s, without the card", listed.Status())
	}
	passed("list")

	found, err := giftcards.SearchGiftCardsV2GiftcardsProgramsProgramIdSearchGetWithResponse(ctx, program,
		&client.SearchGiftCardsV2GiftcardsProgramsProgramIdSearchGetParams{Q: &number})
	if err != nil {
		return err
	}
	if found.JSON200 == nil || len(*found.JSON200) != 1 || (*found.JSON200)[0].Balance != "35.00" {
		return fmt.Errorf("search: %s", found.Status())
	}
	passed("search")
	return nil
}

func bulk(count int) client.BulkIssueGiftCardRequest {
	request := client.BulkIssueGiftCardRequest{Count: &count}
	if err := request.InitialValue.FromBulkIssueGiftCardRequestInitialValue1("10.00"); err != nil {
		log.Fatalln("error:", err)
	}
	return request
}

func completed(ctx context.Context, giftcards *client.ClientWithResponses, program, id string) (*client.BulkIssuanceTaskStatus, error) {
	for range 30 {
		polled, err := giftcards.PollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGetWithResponse(ctx, program, id, nil)
		if err != nil {
			return nil, err
		}
		switch {
		case polled.JSON200 == nil:
			return nil, fmt.Errorf("poll: %s", polled.Status())
		case polled.JSON200.Status == "completed":
			return polled.JSON200, nil
		case polled.JSON200.Status == "failed":
			return nil, fmt.Errorf("poll: the task failed")
		}
		if polled.Headers200 == nil || polled.Headers200.RetryAfter == nil {
			return nil, fmt.Errorf("poll: unfinished, without Retry-After")
		}
		// The server says when to poll again.
		time.Sleep(time.Duration(*polled.Headers200.RetryAfter) * time.Second)
	}
	return nil, fmt.Errorf("poll: the task is not done after 30 polls")
}

func passed(step string) { fmt.Println("passed", step) }
