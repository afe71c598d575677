// A SCIM server of scimmy and scimmy-routers on Express, with a store in memory: scimmy_app.cjs MODULES PORT TOKEN.
// `GET /dump` gives what it holds, without SCIM.
const { createRequire } = require("node:module");
const [modules, port, token] = process.argv.slice(2);
const need = createRequire(`${modules}/node_modules/`);
const express = need("express");
const SCIMMY = need("scimmy").default ?? need("scimmy");
const SCIMMYRouters = need("scimmy-routers").default ?? need("scimmy-routers");

const stores = { Users: new Map(), Groups: new Map() };
let next = 1;

function declare(Resource, store, name, unique) {
    SCIMMY.Resources.declare(Resource)
        .ingress((resource, data) => {
            const id = resource.id ?? String(next++);
            const taken = (other) => other.id !== id && other[name]?.toLowerCase() === data[name]?.toLowerCase();
            if (resource.id !== undefined && !store.has(id)) throw new SCIMMY.Types.Error(404, null, "not found");
            if (unique && [...store.values()].some(taken)) throw new SCIMMY.Types.Error(409, "uniqueness", "taken");
            const kept = { ...JSON.parse(JSON.stringify(data)), id };
            store.set(id, kept);
            return JSON.parse(JSON.stringify(kept));
        })
        .egress((resource) => {
            const copy = (one) => JSON.parse(JSON.stringify(one));
            if (resource.id !== undefined) {
                if (!store.has(resource.id)) throw new SCIMMY.Types.Error(404, null, "not found");
                return copy(store.get(resource.id));
            }
            const all = [...store.values()].map(copy);
            return resource.filter ? resource.filter.match(all) : all;
        })
        .degress((resource) => {
            if (!store.delete(resource.id)) throw new SCIMMY.Types.Error(404, null, "not found");
        });
}
declare(SCIMMY.Resources.User, stores.Users, "userName", true);
declare(SCIMMY.Resources.Group, stores.Groups, "displayName", false);
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);

const app = express();
app.get("/dump", (_, response) => response.json({ Users: [...stores.Users.values()], Groups: [...stores.Groups.values()] }));
app.use("/scim", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("wrong token");
        return "rollcall";
    },
}));
app.listen(Number(port), "127.0.0.1");
