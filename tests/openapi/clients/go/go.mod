module client

go 1.27
