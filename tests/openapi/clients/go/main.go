// What a customer and the operator do, with a client that is generated from the OpenAPI document.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log"
	"net/http"
	"os"
	"reflect"

	"client/shop"
)

func main() {
	log.SetFlags(log.Lshortfile)
	configuration := shop.NewConfiguration()
	configuration.Servers = shop.ServerConfigurations{{URL: os.Getenv("BASE_URL")}}
	client := shop.NewAPIClient(configuration)
	customer := context.Background()
	operator := context.WithValue(customer, shop.ContextAccessToken, os.Getenv("OPERATOR_TOKEN"))

	paid := buy(customer, client)
	askForTooMuch(customer, client)
	askForNothing(customer, client)
	listPaid(operator, client, paid)
	refuseList(customer, client)
}

func buy(customer context.Context, client *shop.APIClient) *shop.Order {
	// Under the same key an order is placed once, however often it is sent.
	line := shop.NewOrderRequestShort("item1", 2)
	line.SetCustomerId("go")
	request := client.OrdersAPI.PlaceOrder(customer).
		OrderRequest(shop.OrderRequestShortAsOrderRequest(line)).
		IdempotencyKey(rand.Text())
	order, _, err := request.Execute()
	done(err)
	equal(order.Status, shop.PENDING)
	equal(order.GetCustomerId(), "go")
	equal(order.Items, []shop.OrderLine{*shop.NewOrderLine("item1", 2, order.Total/2)})

	again, response, err := request.Execute()
	done(err)
	equal(again.OrderId, order.OrderId)
	equal(response.Header.Get("idempotent-replayed"), "true")

	shown, _, err := client.OrdersAPI.GetOrder(customer, order.OrderId).Execute()
	done(err)
	equal(shown, order)

	// Too little is refused.
	payment := shop.NewPaymentRequest()
	payment.SetMethod("card")
	payment.SetAmount(order.Total - 1)
	pay := client.PaymentsAPI.PayOrder(customer, order.OrderId)
	_, response, err = pay.PaymentRequest(*payment).Execute()
	mismatch := problem[shop.PayOrder422Response](response, err, 422).AmountMismatchProblem
	equal(mismatch.Code, "amount_mismatch")
	equal(mismatch.Total, order.Total)

	payment.SetAmount(order.Total)
	paid, _, err := pay.PaymentRequest(*payment).Execute()
	done(err)
	equal(paid.Status, shop.PAID)
	equal(paid.Payment.GetAmount(), order.Total)
	return paid
}

func askForTooMuch(customer context.Context, client *shop.APIClient) {
	_, response, err := ask(customer, client, 1_000_000)
	refusal := problem[shop.PlaceOrder409Response](response, err, 409).InsufficientStockProblem
	equal(refusal.Code, "insufficient_stock")
	equal(refusal.Requested, 1_000_000)
	item, _, err := client.InventoryAPI.GetItem(customer, "item1").Execute()
	done(err)
	equal(refusal.Available, item.Available)
}

func askForNothing(customer context.Context, client *shop.APIClient) {
	_, response, err := ask(customer, client, 0)
	refusal := problem[shop.PlaceOrder422Response](response, err, 422).InvalidRequestProblem
	equal(refusal.Code, "invalid_request")
	equal(len(refusal.Errors), 1)
	equal(refusal.Errors[0].ErrorInTheBody.Pointer, "/quantity")
}

func ask(customer context.Context, client *shop.APIClient, quantity int32) (*shop.Order, *http.Response, error) {
	request := shop.OrderRequestShortAsOrderRequest(shop.NewOrderRequestShort("item1", quantity))
	return client.OrdersAPI.PlaceOrder(customer).OrderRequest(request).Execute()
}

func listPaid(operator context.Context, client *shop.APIClient, newest *shop.Order) {
	page, _, err := client.OrdersAPI.ListOrders(operator).Status(shop.PAID).Limit(1).Execute()
	done(err)
	equal(page.Orders, []shop.Order{*newest})
}

func refuseList(customer context.Context, client *shop.APIClient) {
	_, response, err := client.OrdersAPI.ListOrders(customer).Execute()
	equal(problem[shop.UnauthorizedProblem](response, err, 401).Code, "unauthorized")
}

// The problem with which a request was refused.
func problem[T any](response *http.Response, err error, status int) T {
	var refusal *shop.GenericOpenAPIError
	if !errors.As(err, &refusal) {
		log.Panicf("not a refusal: %v", err)
	}
	equal(response.StatusCode, status)
	problem, known := refusal.Model().(T)
	if !known {
		log.Panicf("another problem: %s", refusal.Body())
	}
	return problem
}

func done(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func equal[T any](what, expected T) {
	if !reflect.DeepEqual(what, expected) {
		log.Panicf("%v instead of %v", what, expected)
	}
}
