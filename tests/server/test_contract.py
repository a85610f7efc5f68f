"""The OpenAPI document says what is there, and nothing is there that it does not say."""

from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from runyard.server.app import ROUTES
from runyard.server.permissions import API
from tests.server.serving import Served, api_routes

OUTSIDE = {"/health", "/metrics"}  # where tools look for them


def test_every_route_is_documented_with_the_form_of_its_answer(shared: Served) -> None:
    document = shared.http.get(f"{API}/openapi.json").json()
    documented = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }

    expected = {
        (method, API + route.path.replace(":path}", "}")) for route in api_routes() for method in route.methods or ()
    }
    assert documented.keys() == expected | {("GET", path) for path in OUTSIDE}
    for operation in documented.values():
        answer = operation["responses"]["200"]
        schemas = [content.get("schema") for content in answer.get("content", {}).values()]
        assert operation["description"]
        assert answer["description"] != "Successful Response" or (schemas and all(schemas))


def test_nothing_is_served_beside_the_documented_routes(shared: Served) -> None:
    assert all(isinstance(route, APIRoute) for module in ROUTES for route in module.router.routes)
    others = {route.path for route in shared.app.routes if isinstance(route, Route | Mount)}
    assert others - {API + route.path for route in api_routes()} == {
        f"{API}/openapi.json",
        "/mlflow/{address:path}",
        "",
    }


def test_there_is_no_page_that_loads_scripts_from_elsewhere(shared: Served) -> None:
    assert shared.http.get("/docs").status_code == 404
    assert shared.http.get("/redoc").status_code == 404
